// Entry of the npm scripts, in plain JavaScript for any Node from 20 on. It checks the machine, installs the npm
// dependencies, and goes on with the pinned Node: set-up first, then the command.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { missingFromPlatform } from "./platform.mjs";

const unsupportedCode = 2;
const usageCode = 64;
const projectFolder = join(
  import.meta.dirname ?? new URL(".", import.meta.url).pathname,
  "..",
  "..",
);
const modulesFolder = join(projectFolder, "node_modules");
const stampPath = join(modulesFolder, ".isthmus-stamp");
const node = join(modulesFolder, ".bin", "node");
const inProject = (/** @type {string[]} */ ...path) => join(projectFolder, ...path);
const setup = [node, inProject("test", "setup", "setup.ts")];
const all = { root: true, go: true };

/** @type {Record<string, { needs: import("./platform.mjs").Needs, steps: string[][] }>} */
const commands = {
  setup: { needs: all, steps: [setup] },
  demo: { needs: all, steps: [setup, [node, inProject("test", "demo", "demo.ts")]] },
  test: { needs: all, steps: [setup, [join(modulesFolder, ".bin", "vitest"), "run"]] },
  bed: { needs: all, steps: [setup, [node, inProject("test", "bed", "cli.ts")]] },
  bench: {
    needs: all,
    steps: [
      [...setup, "bench"],
      [node, inProject("bench", "bench.ts")],
    ],
  },
  check: {
    needs: { root: false, go: false },
    steps: [[node, inProject("test", "setup", "check.ts")]],
  },
};

function lockStamp() {
  return createHash("sha256")
    .update(readFileSync(inProject("package-lock.json")))
    .digest("hex");
}

/** Installs the npm dependencies unless those of this lock file are there. */
function installDependencies() {
  const wanted = lockStamp();
  if (existsSync(node) && existsSync(stampPath) && readFileSync(stampPath, "utf8") === wanted)
    return;
  console.log("set-up: installing npm dependencies");
  // Not "npm ci": it refuses the lock file where a registry lacks one platform's optional binaries.
  const { status } = spawnSync("npm", ["install", "--no-save", "--loglevel=error"], {
    cwd: projectFolder,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
  if (!existsSync(node)) {
    console.error(
      "npm installed no node_modules/.bin/node: allow install scripts (npm config set ignore-scripts false)",
    );
    process.exit(unsupportedCode);
  }
  writeFileSync(stampPath, wanted);
}

/** Runs a program with the pinned Node first in the PATH, passes signals on, and resolves to its exit code. */
/** @type {(argv: string[]) => Promise<number>} */
function run([program = "", ...args]) {
  const path = [join(modulesFolder, ".bin"), process.env["PATH"] ?? ""].join(delimiter);
  const child = spawn(program, args, {
    cwd: projectFolder,
    stdio: "inherit",
    env: { ...process.env, PATH: path },
  });
  const forward = (/** @type {NodeJS.Signals} */ signal) => {
    // Ctrl-C on a terminal reaches the child by itself; a second one would look like impatience to it.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
    process.on(signal, forward);
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.once("close", (code, signal) =>
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)),
    );
  });
}

const [name = "", ...args] = process.argv.slice(2);
const command = commands[name];
if (!command) {
  console.error(`usage: bootstrap.mjs ${Object.keys(commands).join("|")} [arguments]`);
  process.exit(usageCode);
}
const missing = missingFromPlatform(command.needs);
if (missing.length > 0) {
  console.error(`npm run ${name} cannot run on this machine. Missing:`);
  for (const line of missing) console.error(`  - ${line}`);
  process.exit(unsupportedCode);
}
installDependencies();
for (const [index, step] of command.steps.entries()) {
  const isLast = index === command.steps.length - 1;
  const code = await run(isLast ? [...step, ...args] : step);
  if (code !== 0 || isLast) process.exit(code);
}
