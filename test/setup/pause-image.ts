import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../cmd/build/cache-folder.ts";
import { writeImageArchive, writeLayer } from "../../cmd/build/image-archive.ts";
import { binaryPaths, kubernetesVersion } from "./binaries.ts";

/** The name containerd is told to use for the container that holds a pod's namespaces. */
export const pauseReference = "localhost/pause:1";

/** Writes the image with our own pause binary unless it is there, and returns the path of its docker-archive. */
export async function pauseImage(): Promise<string> {
  const base = join(cacheFolder("images"), `pause-${kubernetesVersion()}`);
  const output = `${base}.tar`;
  if (existsSync(output)) return output;
  const layer = await writeLayer(`${base}-layer.tar`, [
    { type: "file", path: "pause", mode: 0o755, source: binaryPaths().pause },
  ]);
  const config = { Entrypoint: ["/pause"], User: "65535:65535" };
  await writeImageArchive({ output, reference: pauseReference, layers: [layer], config });
  return output;
}
