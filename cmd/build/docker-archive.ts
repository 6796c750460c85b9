import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, stat } from "node:fs/promises";
import { once } from "node:events";
import { type LayerEntry, tarEnd, tarHeader, tarPadding } from "./tar.ts";

/** A layer written to a file: an uncompressed tar. */
export interface LayerFile {
  readonly path: string;
  /** Lower-case hex SHA-256 of the file; images call it the diff id. */
  readonly sha256: string;
}

/** The part of an image's configuration that says how to run it, in the OCI image specification's words. */
export interface ImageRunConfig {
  readonly Entrypoint: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Env?: readonly string[];
}

/** An image to write. */
export interface DockerArchive {
  /** File to write, a tar. */
  readonly output: string;
  /** Name and tag, for example `localhost/isthmus:dev`. */
  readonly reference: string;
  /** Bottom layer first. */
  readonly layers: readonly LayerFile[];
  readonly config: ImageRunConfig;
}

// Nothing in an image may depend on when it was built.
const created = "1970-01-01T00:00:00Z";

/** Collects bytes into a file and their digest, and puts the file in place only once it is whole. */
async function writeFileWhole(output: string, chunks: AsyncIterable<Buffer>): Promise<string> {
  const partial = `${output}.${process.pid}.partial`;
  const file = createWriteStream(partial);
  const hash = createHash("sha256");
  for await (const chunk of chunks) {
    hash.update(chunk);
    if (!file.write(chunk)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
  await rename(partial, output);
  return hash.digest("hex");
}

async function* tarChunks(entries: readonly LayerEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    const sizeBytes =
      entry.type === "file" ? (entry.content?.length ?? (await stat(entry.source)).size) : 0;
    yield tarHeader(entry, sizeBytes);
    if (entry.type !== "file") continue;
    if (entry.content) yield entry.content;
    else yield* createReadStream(entry.source, { highWaterMark: 1 << 20 });
    yield tarPadding(sizeBytes);
  }
  yield tarEnd;
}

/**
 * Writes a layer. The same entries give the same bytes: they are sorted by path, and modification times are zero.
 * @throws Error if a source cannot be read or a path does not fit a tar header.
 */
export async function writeLayer(
  output: string,
  entries: readonly LayerEntry[],
): Promise<LayerFile> {
  const sorted = entries.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  return { path: output, sha256: await writeFileWhole(output, tarChunks(sorted)) };
}

function fileEntry(path: string, value: unknown): LayerEntry & { content: Buffer } {
  const content = Buffer.from(JSON.stringify(value));
  return { type: "file", path, mode: 0o644, source: "", content };
}

const layerName = (layer: LayerFile) => `${layer.sha256}.tar`;

/**
 * Writes an image as `docker save` does (manifest.json, the configuration and the layers), which containerd, Docker
 * and kind can load without a registry.
 */
export async function writeDockerArchive({
  output,
  reference,
  layers,
  config,
}: DockerArchive): Promise<void> {
  const image = fileEntry("", {
    architecture: "amd64",
    os: "linux",
    created,
    config,
    rootfs: { type: "layers", diff_ids: layers.map(({ sha256 }) => `sha256:${sha256}`) },
    history: layers.map(() => ({ created, created_by: "isthmus cmd/build" })),
  });
  const imageName = `${createHash("sha256").update(image.content).digest("hex")}.json`;
  const manifest = [{ Config: imageName, RepoTags: [reference], Layers: layers.map(layerName) }];
  await writeFileWhole(
    output,
    tarChunks([
      fileEntry("manifest.json", manifest),
      { ...image, path: imageName },
      ...layers.map((layer): LayerEntry => ({
        type: "file",
        path: layerName(layer),
        mode: 0o644,
        source: layer.path,
      })),
    ]),
  );
}
