import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder } from "./cache-folder.ts";
import {
  type ImageRunConfig,
  type LayerFile,
  writeDockerArchive,
  writeLayer,
} from "./docker-archive.ts";
import type { LayerEntry } from "./tar.ts";

/** An image on disk. */
export interface BuiltImage {
  /** Path of the docker-archive. */
  readonly path: string;
  readonly reference: string;
}

const projectFolder = join(import.meta.dirname, "..", "..");
const distFolder = join(projectFolder, "dist");
const nodeBinary = join(projectFolder, "node_modules", "node", "bin", "node");
const userId = 65_532;
const runConfig: ImageRunConfig = {
  Entrypoint: ["/usr/local/bin/node"],
  User: `${userId}:${userId}`,
  WorkingDir: "/app",
  Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "NODE_ENV=production"],
};

const folder = (path: string, mode = 0o755): LayerEntry => ({ type: "folder", path, mode });
const text = (path: string, content: string): LayerEntry => ({
  type: "file",
  path,
  mode: 0o644,
  source: "",
  content: Buffer.from(content),
});

/** The paths of the shared libraries in what ldd printed, the loader among them. */
export function librariesOf(lddOutput: string): string[] {
  return lddOutput
    .split("\n")
    .map((line) => /(?:=>\s+)?(\/\S+)\s+\(0x/.exec(line)?.[1])
    .filter((path) => path !== undefined);
}

/** The node binary with all it loads, also later: the resolver and the name services, which no header lists. */
function nodeEntries(): LayerEntry[] {
  const linked = librariesOf(execFileSync("ldd", [nodeBinary], { encoding: "utf8" }));
  const besideLibc = dirname(
    linked.find((path) => path.includes("/libc.so")) ?? "/lib/x86_64-linux-gnu/libc.so.6",
  );
  const late = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"].map((name) =>
    join(besideLibc, name),
  );
  const libraries = [...new Set([...linked, ...late])].filter((path) => existsSync(path));
  const files = [{ path: "/usr/local/bin/node", source: nodeBinary }].concat(
    libraries.map((path) => ({ path, source: realpathSync(path) })),
  );
  const folders = new Set(files.flatMap(({ path }) => ancestors(path.slice(1))));
  return [
    ...[...folders].map((path) => folder(path)),
    ...files.map(({ path, source }): LayerEntry => ({
      type: "file",
      path: path.slice(1),
      mode: 0o755,
      source,
    })),
  ];
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [...ancestors(parent), parent];
}

const baseEntries = (): LayerEntry[] => [
  ...nodeEntries(),
  folder("app"),
  folder("etc"),
  folder("tmp", 0o1777),
  text(
    "etc/passwd",
    `root:x:0:0:root:/:/sbin/nologin\nisthmus:x:${userId}:${userId}:isthmus:/app:/sbin/nologin\n`,
  ),
  text("etc/group", `root:x:0:\nisthmus:x:${userId}:\n`),
  text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

function nodeVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(join(projectFolder, "node_modules", "node", "package.json"), "utf8"),
  );
  return version;
}

/** The layer with Node, its libraries and the user; built once for each version of Node. */
async function nodeLayer(): Promise<LayerFile> {
  const path = join(cacheFolder("images"), `node-${nodeVersion()}.tar`);
  const digestPath = `${path}.sha256`;
  if (existsSync(path) && existsSync(digestPath))
    return { path, sha256: readFileSync(digestPath, "utf8") };
  const layer = await writeLayer(path, baseEntries());
  writeFileSync(digestPath, layer.sha256);
  return layer;
}

/**
 * Packs the bundles of dist/ with Node 24 into `dist/isthmus-image.tar`.
 * @throws Error if there are no bundles.
 */
export async function buildImage(reference = "localhost/isthmus:dev"): Promise<BuiltImage> {
  const bundles = existsSync(distFolder)
    ? readdirSync(distFolder).filter((name) => name.endsWith(".mjs"))
    : [];
  if (bundles.length === 0) throw new Error('dist/ holds no bundles; run "npm run build" first');
  const app = bundles.map((name): LayerEntry => ({
    type: "file",
    path: `app/${name}`,
    mode: 0o644,
    source: join(distFolder, name),
  }));
  const layers = [
    await nodeLayer(),
    await writeLayer(join(distFolder, "isthmus-app-layer.tar"), [folder("app"), ...app]),
  ];
  const path = join(distFolder, "isthmus-image.tar");
  await writeDockerArchive({ output: path, reference, layers, config: runConfig });
  return { path, reference };
}

/** An image with Node 24 and nothing else, for test workloads; it shares its only layer with the product's image. */
export async function buildNodeImage(): Promise<BuiltImage> {
  const path = join(cacheFolder("images"), `node-image-${nodeVersion()}.tar`);
  const reference = "localhost/node:24";
  if (!existsSync(path)) {
    await writeDockerArchive({
      output: path,
      reference,
      layers: [await nodeLayer()],
      config: runConfig,
    });
  }
  return { path, reference };
}

if (process.argv[1] === import.meta.filename) {
  const { path, reference } = await buildImage();
  console.log(`${reference} written to ${path}`);
}
