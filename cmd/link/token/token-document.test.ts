import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { stringify } from "yaml";
import { JOIN_TOKEN_HEAD, type JoinToken, MAX_JOIN_TOKEN_BYTES } from "../../../api/join-token.ts";
import { gatewayIdentity } from "../../../api/names.ts";
import { CliError } from "../cli-error.ts";
import { formatToken, parseToken, readTokenText, writeSecretFile } from "./token-document.ts";

const SECRET = "s".repeat(43);
const TOKEN: JoinToken = {
  ...JOIN_TOKEN_HEAD,
  provider: "west",
  consumer: "east",
  id: "i".repeat(22),
  secret: SECRET,
  gateway: { addresses: ["192.0.2.1"], port: 15008, identity: gatewayIdentity("west") },
  trustBundle: "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
  expiresAt: "2026-01-01T00:15:00.000Z",
};

function failureOf(text: string): string {
  try {
    parseToken(text, "t.yaml");
    return "";
  } catch (error) {
    if (error instanceof CliError) return `${error.message}; ${error.fix ?? ""}`;
    throw error;
  }
}

test("a token is read as it was written", () => {
  expect(parseToken(formatToken(TOKEN), "t.yaml")).toEqual(TOKEN);
});

describe("what is no token is refused by the field, without a word of the secret", () => {
  test.each<[what: string, text: string, message: string]>([
    ["another kind", stringify({ ...TOKEN, kind: "Secret" }), "kind: "],
    ["another version", stringify({ ...TOKEN, apiVersion: "v1" }), "apiVersion: "],
    ["a field too many", stringify({ ...TOKEN, admin: true }), "admin: no such field"],
    [
      "a field too many within",
      stringify({ ...TOKEN, gateway: { ...TOKEN.gateway, proxy: "x" } }),
      "gateway.proxy: no such field",
    ],
    ["a field too few", stringify({ ...TOKEN, consumer: undefined }), "consumer: "],
    [
      "a secret that is cut",
      stringify({ ...TOKEN, secret: SECRET.slice(1) }),
      "secret: must be 43",
    ],
    ["a time that is none", stringify({ ...TOKEN, expiresAt: "soon" }), "expiresAt: "],
    ["a bundle that is none", stringify({ ...TOKEN, trustBundle: "x" }), "trustBundle: "],
    [
      "a port that is none",
      stringify({ ...TOKEN, gateway: { ...TOKEN.gateway, port: 0 } }),
      "gateway.port: ",
    ],
    [
      "no address",
      stringify({ ...TOKEN, gateway: { ...TOKEN.gateway, addresses: [] } }),
      "gateway.addresses: ",
    ],
    [
      "another cluster's identity",
      stringify({ ...TOKEN, provider: "vest" }),
      "gateway.identity does not belong to the provider vest",
    ],
    [
      "one cluster as both",
      stringify({ ...TOKEN, consumer: "west" }),
      "provider and consumer are both west",
    ],
    ["what is not YAML", `secret: "${SECRET}`, "it is not YAML (MISSING_CHAR)"],
    ["YAML aliases", `a: &a ${SECRET}\nb: *a\n`, "it has YAML aliases"],
    ["nothing", "", "the document: "],
    ["too much", " ".repeat(MAX_JOIN_TOKEN_BYTES + 1), "it has more than 96 KiB"],
  ])("%s", (_what, text, message) => {
    const failure = failureOf(text);
    expect(failure).toContain(`t.yaml is no join token: ${message}`);
    expect(failure).not.toContain(SECRET.slice(1));
    expect(failure).toContain("get the file as it was issued");
  });
});

function endless(): Readable {
  return Readable.from(Array.from({ length: 1000 }, () => Buffer.alloc(65_536, "x")));
}

describe("the text of a token", () => {
  test("comes from standard input for -, and of no more of it than a token may have", async () => {
    expect(await readTokenText("-", Readable.from([Buffer.from(formatToken(TOKEN))]))).toBe(
      formatToken(TOKEN),
    );
    expect((await readTokenText("-", endless())).length).toBeLessThan(3 * 65_536);
  });

  test("comes from a file, which is named when it is missing or cannot be written", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "isthmus-token-"));
    onTestFinished(async () => await rm(folder, { recursive: true }));
    const file = path.join(folder, "t.yaml");
    await writeFile(file, "text");
    expect(await readTokenText(file, Readable.from([]))).toBe("text");
    await expect(readTokenText(`${file}.no`, Readable.from([]))).rejects.toThrow(
      "t.yaml.no cannot be read",
    );
    await expect(writeSecretFile(path.join(folder, "no", "t.yaml"), "x")).rejects.toThrow(
      /no.t\.yaml cannot be written/,
    );
  });
});
