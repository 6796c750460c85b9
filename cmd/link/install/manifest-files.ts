import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

const BASE = path.join(import.meta.dirname, "../../../manifests/base");

/**
 * The files of manifests/base by their path in it. The bundler puts another
 * module in the place of this one, with the files inside (cmd/build/bundle.ts).
 */
export async function readManifestFiles(): Promise<Record<string, string>> {
  const entries = await readdir(BASE, { recursive: true });
  const files = entries.filter((entry) => entry.endsWith(".yaml"));
  return Object.fromEntries(
    await Promise.all(
      files.map(async (file) => [file, await readFile(path.join(BASE, file), "utf8")] as const),
    ),
  );
}
