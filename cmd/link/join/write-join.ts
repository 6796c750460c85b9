import { chmod, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Reporter } from "../reporter.ts";
import { JOIN_PARTS, type JoinPart, type RenderedJoin } from "./render-join.ts";

/** What is printed or written instead of a Secret whose token nobody can issue yet. */
const LATER = "apply provider.yaml first, then: the same command with --show secret";

/** The wanted parts as one stream of documents. */
export function joinStream(rendered: RenderedJoin, parts: readonly JoinPart[]): string {
  return parts
    .map((part) => rendered[part] ?? `# The Secret with the credentials: ${LATER}\n`)
    .join("---\n");
}

/**
 * Writes the wanted parts as provider.yaml, consumer.yaml and secret.yaml, the
 * last readable by its owner alone. The folder is made if it is missing.
 */
export async function writeJoin(
  rendered: RenderedJoin,
  { folder, parts, reporter }: { folder: string; parts: readonly JoinPart[]; reporter: Reporter },
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const part of JOIN_PARTS.filter((candidate) => parts.includes(candidate))) {
    const text = rendered[part];
    if (text === undefined) {
      reporter.warn(
        `no ${part}.yaml was written: there is no account on the provider yet; ${LATER}`,
      );
      continue;
    }
    const file = path.join(folder, `${part}.yaml`);
    const mode = part === "secret" ? 0o600 : 0o644;
    await writeFile(file, text, { mode });
    // The mode above counts for a new file only.
    await chmod(file, mode);
    reporter.done(
      `wrote ${file}${part === "secret" ? ": seal it before it goes into a repository" : ""}`,
    );
  }
}
