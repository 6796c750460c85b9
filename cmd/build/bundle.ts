import { chmod } from "node:fs/promises";
import path from "node:path";
import { type BuildOptions, build as esbuild, type Plugin } from "esbuild";
import { readManifestFiles } from "../link/install/manifest-files.ts";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");

/** The programs that are bundled: `cmd/NAME/NAME.ts` becomes `NAME.mjs`. */
const PROGRAMS = ["controller", "gateway", "link"] as const;

/** CommonJS dependencies call `require` for Node's own modules, which ES modules do not have. */
const REQUIRE_BANNER =
  'import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);';

/** How every program is bundled; the bench bundles its own gateways so, too. */
export const BUNDLE_OPTIONS = {
  absWorkingDir: PROJECT_FOLDER,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  banner: { js: REQUIRE_BANNER },
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

/**
 * Bundles controller, gateway and CLI, each into one file that needs nothing but Node 24.
 * @param outputFolder by default dist/ of the project; made when missing
 * @returns the paths of the bundles
 * @throws Error when a source does not compile
 */
export async function bundle(
  outputFolder = path.join(PROJECT_FOLDER, "dist"),
): Promise<Record<(typeof PROGRAMS)[number], string>> {
  const output = (name: string) => path.join(outputFolder, `${name}.mjs`);
  await esbuild({
    ...BUNDLE_OPTIONS,
    entryPoints: PROGRAMS.map((name) => ({ in: `cmd/${name}/${name}.ts`, out: name })),
    outdir: outputFolder,
    outExtension: { ".js": ".mjs" },
    plugins: [embedManifests],
  });
  await chmod(output("link"), 0o755);
  return { controller: output("controller"), gateway: output("gateway"), link: output("link") };
}

if (import.meta.main) {
  const startMs = performance.now();
  const bundles = await bundle();
  const names = Object.values(bundles).map((file) => path.relative(process.cwd(), file));
  console.log(`${names.join(", ")} in ${Math.round(performance.now() - startMs)} ms`);
}
