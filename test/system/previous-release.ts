import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, runOk } from "../bed/command.ts";

/** A release built from the history, to upgrade from. */
export interface Release {
  /** Tag or commit. */
  readonly name: string;
  /** Path of its `link` in one file. */
  readonly link: string;
  /** Path of its image, a docker-archive, and the reference inside. */
  readonly image: { readonly path: string; readonly reference: string };
  /** Removes what was built. */
  remove(): void;
}

const PROJECT_FOLDER = join(import.meta.dirname, "..", "..");
/** The last commit before there were upgrades, for as long as no release has a tag. */
const FIRST = "848136352f20eb2e699af1e80c4f75d7f46c1733";
const REFERENCE = "localhost/isthmus:previous";
const BUILD_TIMEOUT_MS = 60_000;
const BUILD_IMAGE = `import("./cmd/build/image.ts").then(({ buildImage }) => buildImage("${REFERENCE}"))`;

/** The last tag before this commit, else the first release; undefined where the history has neither. */
export async function findPreviousRelease(): Promise<string | undefined> {
  const tag = await git("describe", "--tags", "--abbrev=0", "--match=v*", "HEAD^");
  if (tag.code === 0) return tag.stdout.trim();
  const first = await git("cat-file", "-e", `${FIRST}^{commit}`);
  return first.code === 0 ? FIRST : undefined;
}

/**
 * Builds a release as it built itself, with the npm packages of this work tree.
 * @throws Error with what its build printed when it fails.
 */
export async function buildRelease(name: string): Promise<Release> {
  const folder = mkdtempSync(join(tmpdir(), "isthmus-release-"));
  const within = (...path: string[]) => join(folder, ...path);
  try {
    const archive = within("release.tar");
    await runOk(["git", "-C", PROJECT_FOLDER, "archive", `--output=${archive}`, name]);
    await runOk(["tar", "--extract", "--directory", folder, "--file", archive]);
    symlinkSync(join(PROJECT_FOLDER, "node_modules"), within("node_modules"));
    const inFolder = { timeoutMs: BUILD_TIMEOUT_MS };
    await runOk(["env", "--chdir", folder, process.execPath, "cmd/build/bundle.ts"], inFolder);
    await runOk(["env", "--chdir", folder, process.execPath, "-e", BUILD_IMAGE], inFolder);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    name,
    link: within("dist", "link.mjs"),
    image: { path: within("dist", "isthmus-image.tar"), reference: REFERENCE },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function git(...args: string[]): ReturnType<typeof run> {
  return run(["git", "-C", PROJECT_FOLDER, ...args]);
}
