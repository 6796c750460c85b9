import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

const MANIFESTS = path.join(import.meta.dirname, "../../../manifests");
const FOLDERS = ["base", "components"];

/**
 * The files of manifests/base and manifests/components by their path in
 * manifests/, with `/` between folders. The bundler puts another module in the
 * place of this one, with the files inside (cmd/build/bundle.ts).
 */
export async function readManifestFiles(): Promise<Record<string, string>> {
  const entries = await readdir(MANIFESTS, { recursive: true });
  const files = entries
    .map((entry) => entry.split(path.sep).join("/"))
    .filter((file) => FOLDERS.includes(file.split("/")[0] ?? "") && file.endsWith(".yaml"))
    .toSorted();
  return Object.fromEntries(
    await Promise.all(
      files.map(
        async (file) => [file, await readFile(path.join(MANIFESTS, file), "utf8")] as const,
      ),
    ),
  );
}
