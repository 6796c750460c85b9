import type { Secret } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";

/** What is of a token, a key or their base64 looks so; names have no capitals. */
const RUN = /[A-Za-z0-9+/_=-]{16,}/g;
const PIECE_CHARS = 16;

/** By name and key, every value of every Secret of a cluster: as it is, as base64, and all of its pieces. */
export async function secretPieces(client: KubeClient): Promise<Map<string, Set<string>>> {
  const { items } = await client.list<Secret>(RESOURCES.secrets);
  const entries = items.flatMap(({ metadata, data = {} }) =>
    Object.entries(data).map(([key, base64]): [string, Set<string>] => {
      const texts = [Buffer.from(base64, "base64").toString("latin1"), base64];
      const runs = texts
        .flatMap((each) => [...each.matchAll(RUN)].map(([run]) => run))
        .filter((run) => /[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run));
      return [`${metadata.name} ${key}`, new Set([...texts, ...runs.flatMap(windowsOf)])];
    }),
  );
  return new Map(entries);
}

/** The names and keys of the Secrets that a text holds something of. */
export function leakedInto(
  text: string,
  pieces: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  return [...pieces]
    .filter(([, texts]) => [...texts].some((piece) => text.includes(piece)))
    .map(([name]) => name);
}

function windowsOf(run: string): string[] {
  return Array.from({ length: run.length - PIECE_CHARS + 1 }, (_none, from) =>
    run.slice(from, from + PIECE_CHARS),
  );
}
