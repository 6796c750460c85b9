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

/** The part of an image's configuration that says how to run it and what it is, in the OCI image specification's words. */
export interface ImageRunConfig {
  readonly Entrypoint: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Env?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
}

/** An image to write. */
export interface ImageArchive {
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

const blobPath = (sha256: string) => `blobs/sha256/${sha256}`;

/** A blob and how an OCI document refers to it. */
function blobOf(mediaType: string, value: unknown) {
  const entry = fileEntry("", value);
  const sha256 = createHash("sha256").update(entry.content).digest("hex");
  const path = blobPath(sha256);
  const descriptor = { mediaType, digest: `sha256:${sha256}`, size: entry.content.length };
  return { entry: { ...entry, path }, path, descriptor };
}

/**
 * Writes an image as one tar that is both an OCI image layout and what `docker save` writes, as Docker itself does
 * since version 25: containerd, Docker, Podman, Skopeo and kind load it without a registry. The same layers, name and
 * configuration give the same bytes.
 */
export async function writeImageArchive({
  output,
  reference,
  layers,
  config,
}: ImageArchive): Promise<void> {
  const image = blobOf("application/vnd.oci.image.config.v1+json", {
    architecture: "amd64",
    os: "linux",
    created,
    config,
    rootfs: { type: "layers", diff_ids: layers.map(({ sha256 }) => `sha256:${sha256}`) },
    history: layers.map(() => ({ created, created_by: "isthmus cmd/build" })),
  });
  const manifest = blobOf("application/vnd.oci.image.manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: image.descriptor,
    layers: await Promise.all(
      layers.map(async ({ path, sha256 }) => ({
        mediaType: "application/vnd.oci.image.layer.v1.tar",
        digest: `sha256:${sha256}`,
        size: (await stat(path)).size,
      })),
    ),
  });
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [
      {
        ...manifest.descriptor,
        platform: { architecture: "amd64", os: "linux" },
        annotations: {
          "io.containerd.image.name": reference,
          "org.opencontainers.image.ref.name": reference.slice(reference.lastIndexOf(":") + 1),
        },
      },
    ],
  };
  const layerPaths = layers.map(({ sha256 }) => blobPath(sha256));
  await writeFileWhole(
    output,
    tarChunks([
      fileEntry("oci-layout", { imageLayoutVersion: "1.0.0" }),
      fileEntry("index.json", index),
      fileEntry("manifest.json", [
        { Config: image.path, RepoTags: [reference], Layers: layerPaths },
      ]),
      image.entry,
      manifest.entry,
      ...layers.map(({ path, sha256 }): LayerEntry => ({
        type: "file",
        path: blobPath(sha256),
        mode: 0o644,
        source: path,
      })),
    ]),
  );
}
