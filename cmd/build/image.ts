import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { baseComponents, baseLayer, folderEntry, nodeVersion, userId } from "./base-layer.ts";
import { bomSchema } from "./bom.ts";
import { cacheFolder } from "./cache-folder.ts";
import {
  type ImageRunConfig,
  type LayerFile,
  writeImageArchive,
  writeLayer,
} from "./image-archive.ts";
import type { LayerEntry } from "./tar.ts";

/** An image on disk. */
export interface BuiltImage {
  /** Path of the tar, an OCI image layout and a docker-archive in one. */
  readonly path: string;
  readonly reference: string;
}

const projectFolder = join(import.meta.dirname, "..", "..");
const distFolder = join(projectFolder, "dist");
const baseConfig: ImageRunConfig = {
  Entrypoint: ["/usr/local/bin/node"],
  User: `${userId}:${userId}`,
  WorkingDir: "/app",
  Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "NODE_ENV=production"],
};

/** How the product's image runs; the Dockerfile says the same. */
export function productConfig(): ImageRunConfig {
  const file = readFileSync(join(projectFolder, "package.json"), "utf8");
  const { version, license, description }: Record<string, string> = JSON.parse(file);
  return {
    ...baseConfig,
    Labels: {
      "org.opencontainers.image.title": "isthmus",
      "org.opencontainers.image.description": description ?? "",
      "org.opencontainers.image.version": version ?? "",
      "org.opencontainers.image.licenses": license ?? "",
    },
  };
}

/** The bill of materials of the image: the bundles', Node and the libraries. */
function imageBom(bundlesBom: string): Buffer {
  const bom = bomSchema.parse(JSON.parse(readFileSync(bundlesBom, "utf8")));
  const whole = { ...bom, components: [...bom.components, ...baseComponents()] };
  return Buffer.from(`${JSON.stringify(whole, null, 2)}\n`);
}

function fileEntry(path: string, source: string): LayerEntry {
  return { type: "file", path, mode: 0o644, source };
}

/** The image's layers, bottom first; a base layer of the cache is taken as it is. */
async function productLayers(dist: string, cache?: string): Promise<LayerFile[]> {
  const appFolder = join(dist, "app");
  const programs = existsSync(appFolder) ? readdirSync(appFolder) : [];
  if (programs.length === 0) throw new Error(`${dist} holds no bundles; run "npm run build" first`);
  const content = imageBom(join(dist, "isthmus.cdx.json"));
  writeFileSync(join(dist, "isthmus-image.cdx.json"), content);
  return [
    await baseLayer(cache),
    await writeLayer(join(dist, "isthmus-app-layer.tar"), [
      folderEntry("app"),
      ...programs.map((name) => fileEntry(`app/${name}`, join(appFolder, name))),
      fileEntry("app/LICENSE", join(projectFolder, "LICENSE")),
      { type: "file", path: "app/isthmus.cdx.json", mode: 0o644, source: "", content },
    ]),
  ];
}

/**
 * Packs the bundles with Node 24 into `isthmus-image.tar`, with the bill of materials inside and beside it. The same
 * sources and libraries give the same bytes.
 * @param dist folder of the bundles, also for what is written
 * @param cache folder of base layers
 * @throws Error if there are no bundles.
 */
export async function buildImage(
  reference = "localhost/isthmus:dev",
  { dist = distFolder, cache }: { dist?: string; cache?: string } = {},
): Promise<BuiltImage> {
  const layers = await productLayers(dist, cache);
  const path = join(dist, "isthmus-image.tar");
  await writeImageArchive({ output: path, reference, layers, config: productConfig() });
  return { path, reference };
}

/** Writes the image's files into a folder, as the Dockerfile takes them. */
export async function buildRootFolder(folder: string, dist = distFolder): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const { path } of await productLayers(dist)) {
    execFileSync("tar", ["--extract", "--file", path, "--directory", folder]);
  }
}

/** An image with Node 24 and nothing else, for test workloads; it shares its only layer with the product's image. */
export async function buildNodeImage(): Promise<BuiltImage> {
  const layer = await baseLayer();
  const path = join(
    cacheFolder("images"),
    `node-${nodeVersion()}-${layer.sha256.slice(0, 16)}.tar`,
  );
  const reference = "localhost/node:24";
  if (!existsSync(path)) {
    await writeImageArchive({ output: path, reference, layers: [layer], config: baseConfig });
  }
  return { path, reference };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { reference: { type: "string" }, "root-folder": { type: "string" } },
  });
  if (values["root-folder"] === undefined) {
    const { path, reference } = await buildImage(values.reference);
    console.log(`${reference} written to ${path}`);
  } else {
    await buildRootFolder(values["root-folder"]);
    console.log(`the image's files written to ${values["root-folder"]}`);
  }
}
