import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");
const PASSED_OVER = new Set(["node_modules", "dist", ".git", "coverage"]);
const SHEBANG = /^#!.*\b(?:bash|sh|dash)\b/;

/** Every shell script of the repository, by its first line or its name. */
function shellScripts(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const file = path.join(folder, name);
    if (PASSED_OVER.has(name)) return [];
    if (statSync(file).isDirectory()) return shellScripts(file);
    return name.endsWith(".sh") || SHEBANG.test(firstLine(file)) ? [file] : [];
  });
}

function firstLine(file: string): string {
  return readFileSync(file, "latin1").slice(0, 80).split("\n")[0] ?? "";
}

const scripts = shellScripts(PROJECT_FOLDER).map((file) => path.relative(PROJECT_FOLDER, file));

describe("shellcheck", () => {
  test("finds scripts to look at", () => {
    expect(scripts).toContain(".ci/run");
  });

  test.each(scripts)("has nothing to say about %s", (script) => {
    const { stdout, error } = spawnSync("shellcheck", [script], {
      cwd: PROJECT_FOLDER,
      encoding: "utf8",
    });
    expect(error).toBeUndefined();
    expect(stdout).toBe("");
  });

  test("has nothing to say about the completion for bash", () => {
    const link = path.join(PROJECT_FOLDER, "cmd/link/link.ts");
    const printed = spawnSync(process.execPath, [link, "completion", "bash"], { encoding: "utf8" });
    expect(printed.status).toBe(0);
    const { stdout } = spawnSync("shellcheck", ["--shell=bash", "-"], {
      input: printed.stdout,
      encoding: "utf8",
    });
    expect(stdout).toBe("");
  });
});
