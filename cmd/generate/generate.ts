import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { stringify } from "yaml";
import { type CustomResourceDefinition, linkDefinition, peerDefinition } from "../../api/crd.ts";
import { apiPage } from "./api-page.ts";
import { chartFiles } from "./chart.ts";
import { cliPage } from "./cli-page.ts";
import { dashboardConfigMap } from "./dashboard/dashboard.ts";
import { limitsPage } from "./limits-page.ts";
import { metricsPage } from "./metrics-page.ts";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");

/** Every generated file of the repository, by its path in it. */
export async function generate(): Promise<Record<string, string>> {
  const files = {
    "manifests/base/crds/links.isthmus.dev.yaml": definitionFile(linkDefinition()),
    "manifests/base/crds/peers.isthmus.dev.yaml": definitionFile(peerDefinition()),
    "manifests/components/monitoring/dashboard.yaml": dashboardConfigMap(),
    "docs/METRICS.md": await metricsPage(),
    "docs/LIMITS.md": limitsPage(),
    "docs/cli.md": cliPage(),
    "docs/api.md": apiPage(),
  };
  return { ...files, ...(await chartFiles(files)) };
}

function definitionFile(definition: CustomResourceDefinition): string {
  const head = "# Generated from api/ by npm run generate: edits are lost.\n";
  return head + stringify(definition, { lineWidth: 100, aliasDuplicateObjects: false });
}

/** The generated files that are not as they would be generated now. */
async function outdatedFiles(files: Readonly<Record<string, string>>): Promise<string[]> {
  const outdated = [];
  for (const [file, wanted] of Object.entries(files)) {
    const present = await readFile(path.join(PROJECT_FOLDER, file), "utf8").catch(() => undefined);
    if (present !== wanted) outdated.push(file);
  }
  return outdated;
}

if (import.meta.main) {
  const files = await generate();
  const outdated = await outdatedFiles(files);
  if (process.argv.includes("--check")) {
    for (const file of outdated) console.error(`${file} is out of date: run npm run generate`);
    process.exitCode = outdated.length > 0 ? 1 : 0;
  } else {
    for (const file of outdated) {
      const target = path.join(PROJECT_FOLDER, file);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, files[file] ?? "");
      console.log(`wrote ${file}`);
    }
  }
}
