import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { cacheFolder } from "./cache-folder.ts";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");
const run = promisify(execFile);

const componentSchema = z.looseObject({
  "bom-ref": z.string(),
  type: z.string(),
  name: z.string(),
  version: z.string(),
  purl: z.string(),
  properties: z.array(z.object({ name: z.string(), value: z.string() })).optional(),
});
/** A part of the product, as CycloneDX describes one. */
export type BomComponent = z.infer<typeof componentSchema>;

/** A software bill of materials in CycloneDX's JSON, as far as we look into it. */
export const bomSchema = z.looseObject({
  bomFormat: z.literal("CycloneDX"),
  specVersion: z.string(),
  metadata: z.looseObject({ component: componentSchema }),
  components: z.array(componentSchema),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
});
export type Bom = z.infer<typeof bomSchema>;

/**
 * The bill of materials of bundles: what `npm sbom` says of those packages that went into them, without what differs
 * from one build to the next.
 * @param inputs paths of the bundles' sources, relative to the project
 * @throws Error when npm fails, or a package is not among those that it lists
 */
export async function npmBom(inputs: readonly string[]): Promise<Bom> {
  const all = bomSchema.parse(JSON.parse(await npmSbom()));
  const packages = await Promise.all([...packageFolders(inputs)].map(referenceOf));
  const wanted = new Set(packages);
  const components = all.components.filter((component) => wanted.has(component["bom-ref"]));
  const missing = packages.find((ref) => !components.some((known) => known["bom-ref"] === ref));
  if (missing !== undefined) throw new Error(`npm sbom does not list ${missing}`);
  const { component } = all.metadata;
  return {
    $schema: all["$schema"],
    bomFormat: all.bomFormat,
    specVersion: all.specVersion,
    version: 1,
    metadata: { component: { ...component, type: "application", name: "isthmus" } },
    components: components.map(withoutScope),
    dependencies: all.dependencies
      .filter(({ ref }) => wanted.has(ref))
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((on) => wanted.has(on)) })),
  };
}

/** In a bundle nothing is a dependency of development any more. */
function withoutScope({ properties: _properties, ...component }: BomComponent): BomComponent {
  return component;
}

/** The package folders of sources: `node_modules/a/node_modules/@b/c/index.js` is of `node_modules/a/node_modules/@b/c`. */
export function packageFolders(inputs: readonly string[]): Set<string> {
  const folders = inputs.map((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return new Set(folders.filter((folder) => folder !== undefined).toSorted());
}

async function referenceOf(folder: string): Promise<string> {
  const file = path.join(PROJECT_FOLDER, folder, "package.json");
  const { name, version } = z
    .object({ name: z.string(), version: z.string() })
    .parse(JSON.parse(await readFile(file, "utf8")));
  return `${name}@${version}`;
}

/** What `npm sbom` prints, which takes npm seconds: kept for each lock file and package.json. */
async function npmSbom(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of ["package-lock.json", "package.json"]) {
    hash.update(await readFile(path.join(PROJECT_FOLDER, file)));
  }
  const cached = path.join(cacheFolder("sbom"), `${hash.digest("hex").slice(0, 16)}.json`);
  const kept = await readFile(cached, "utf8").catch(() => undefined);
  if (kept !== undefined) return kept;
  const { stdout } = await run("npm", ["sbom", "--sbom-format=cyclonedx"], {
    cwd: PROJECT_FOLDER,
    maxBuffer: 64 * 1024 * 1024,
  });
  const partial = `${cached}.${process.pid}.partial`;
  await writeFile(partial, stdout);
  await rename(partial, cached);
  return stdout;
}
