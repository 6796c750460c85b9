import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { parseDocument, stringify } from "yaml";
import { errorMessage } from "../../../api/errors.ts";
import { type JoinToken, joinTokenSchema, MAX_JOIN_TOKEN_BYTES } from "../../../api/join-token.ts";
import { gatewayIdentity } from "../../../api/names.ts";
import { CliError } from "../cli-error.ts";

const ASK_ANEW = "get the file as it was issued, or ask the provider's administrator for another";

/** The document as `link token issue` prints it. */
export function formatToken(token: JoinToken): string {
  return [
    "# A join token of Isthmus. Keep it as a password: whoever has it joins as the consumer that it names.",
    `# On that cluster, before ${token.expiresAt}: link token redeem FILE`,
    stringify(token, { lineWidth: 0 }),
  ].join("\n");
}

/**
 * Reads a document that anybody may have written. Values never show up in messages.
 * @param name of the file, for messages
 * @throws CliError that names the file and the field.
 */
export function parseToken(text: string, name: string): JoinToken {
  const complain = (what: string) =>
    new CliError(`${name} is no join token: ${what}`, { fix: ASK_ANEW });
  if (Buffer.byteLength(text) > MAX_JOIN_TOKEN_BYTES) {
    throw complain(`it has more than ${MAX_JOIN_TOKEN_BYTES / 1024} KiB`);
  }
  const parsed = joinTokenSchema.safeParse(readYaml(text, complain));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const keys = issue?.code === "unrecognized_keys" ? issue.keys : [];
    const field = [...(issue?.path ?? []), ...keys].join(".") || "the document";
    throw complain(
      `${field}: ${keys.length > 0 ? "no such field" : (issue?.message ?? "invalid")}`,
    );
  }
  const { provider, consumer, gateway } = parsed.data;
  if (gateway.identity !== gatewayIdentity(provider)) {
    throw complain(`gateway.identity does not belong to the provider ${provider}`);
  }
  if (provider === consumer) throw complain(`provider and consumer are both ${provider}`);
  return parsed.data;
}

function readYaml(text: string, complain: (what: string) => CliError): unknown {
  const document = parseDocument(text, { logLevel: "silent", prettyErrors: false });
  const [error] = document.errors;
  // The parser's own message would quote the text, secret and all.
  if (error !== undefined) throw complain(`it is not YAML (${error.code})`);
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    throw complain("it has YAML aliases");
  }
}

/**
 * Writes a secret to a file that only its owner reads, also where a file of
 * that name was there with other rights.
 * @throws CliError naming the file.
 */
export async function writeSecretFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new CliError(`${file} cannot be written: ${errorMessage(error)}`, {
      fix: "name another file with -o",
      cause: error,
    });
  }
}

/**
 * The text of a file, or of standard input for `-`; of either no more than a
 * token may have, and a byte.
 * @throws CliError naming the file.
 */
export async function readTokenText(file: string, stdin: AsyncIterable<Buffer>): Promise<string> {
  try {
    if (file === "-") return await readStart(stdin);
    const handle = await open(file);
    try {
      return await readStart(handle.createReadStream({ autoClose: false }));
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${errorMessage(error)}`, {
      fix: "name the file that link token issue wrote, or - for standard input",
      cause: error,
    });
  }
}

async function readStart(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_JOIN_TOKEN_BYTES) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}
