import { chmod, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type BuildOptions, build as esbuild, type Metafile, type Plugin } from "esbuild";
import { readManifestFiles } from "../link/install/manifest-files.ts";
import { npmBom } from "./bom.ts";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");

/** The programs of the image: `cmd/NAME/NAME.ts` becomes `app/NAME.mjs`. */
const PROGRAMS = ["controller", "gateway", "link", "probe"] as const;

/** CommonJS dependencies call `require` for Node's own modules, which ES modules do not have. */
const REQUIRE_BANNER =
  'import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);';

/** Older Nodes lack what dependencies use, and would end with a stack trace. */
const OLDEST_NODE = 24;
const VERSION_BANNER = `if (Number.parseInt(process.versions.node) < ${OLDEST_NODE}) { console.error("Isthmus needs Node.js ${OLDEST_NODE} or newer; this is " + process.versions.node); process.exit(1); }`;

/** How every program is bundled; the bench bundles its own gateways so, too. */
export const BUNDLE_OPTIONS = {
  absWorkingDir: PROJECT_FOLDER,
  bundle: true,
  format: "esm",
  platform: "node",
  target: `node${OLDEST_NODE}`,
  banner: { js: `${REQUIRE_BANNER} ${VERSION_BANNER}` },
  legalComments: "eof",
  logLevel: "warning",
} as const satisfies BuildOptions;

/** Puts the manifests into the bundle in place of the module that reads them from the disk. */
const embedManifests: Plugin = {
  name: "embed-manifests",
  setup(build) {
    build.onLoad({ filter: /[\\/]cmd[\\/]link[\\/]install[\\/]manifest-files\.ts$/ }, async () => ({
      contents: `const files = ${JSON.stringify(await readManifestFiles())};
export async function readManifestFiles() { return files; }`,
      loader: "js",
    }));
  },
};

/** What a build leaves in its folder. */
export interface Bundles extends Record<(typeof PROGRAMS)[number], string> {
  /** Folder of the image's programs, which share their dependencies in further files there. */
  readonly appFolder: string;
  /** Bill of materials of what the bundles hold, in CycloneDX's JSON. */
  readonly bom: string;
}

/**
 * Bundles the programs for the image, and the CLI once more into one file; they need nothing but Node 24.
 * @param outputFolder by default dist/ of the project; made when missing
 * @returns paths: `link` is the file that runs by itself
 * @throws Error when a source does not compile
 */
export async function bundle(outputFolder = path.join(PROJECT_FOLDER, "dist")): Promise<Bundles> {
  const appFolder = path.join(outputFolder, "app");
  const common = { ...BUNDLE_OPTIONS, metafile: true as const, plugins: [embedManifests] };
  const [programs, cli] = await Promise.all([
    esbuild({
      ...common,
      entryPoints: PROGRAMS.map((name) => ({ in: `cmd/${name}/${name}.ts`, out: name })),
      outdir: appFolder,
      outExtension: { ".js": ".mjs" },
      splitting: true,
      chunkNames: "shared-[hash]",
    }),
    esbuild({
      ...common,
      entryPoints: ["cmd/link/link.ts"],
      outfile: path.join(outputFolder, "link.mjs"),
    }),
  ]);
  await removeOthers(appFolder, programs.metafile);
  const link = path.join(outputFolder, "link.mjs");
  await chmod(link, 0o755);
  const bom = path.join(outputFolder, "isthmus.cdx.json");
  const inputs = [programs, cli].flatMap(({ metafile }) => Object.keys(metafile.inputs));
  await writeFile(bom, `${JSON.stringify(await npmBom(inputs), null, 2)}\n`);
  const program = (name: string) => path.join(appFolder, `${name}.mjs`);
  return {
    controller: program("controller"),
    gateway: program("gateway"),
    probe: program("probe"),
    link,
    appFolder,
    bom,
  };
}

/** Shared files have names by content, so that those of earlier builds would stay. */
async function removeOthers(folder: string, { outputs }: Metafile): Promise<void> {
  const written = new Set(Object.keys(outputs).map((file) => path.basename(file)));
  for (const name of await readdir(folder)) {
    if (!written.has(name)) await rm(path.join(folder, name), { force: true });
  }
}

if (import.meta.main) {
  const startMs = performance.now();
  const { link, appFolder, bom } = await bundle();
  const names = [link, appFolder, bom].map((file) => path.relative(process.cwd(), file));
  console.log(`${names.join(", ")} in ${Math.round(performance.now() - startMs)} ms`);
}
