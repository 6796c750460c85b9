// npm run check: every check of the code, all of them even when one fails.
import { isatty } from "node:tty";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { createColors } from "picocolors";

const pc = createColors(isatty(process.stdout.fd));

const projectFolder = join(import.meta.dirname, "..", "..");
const folders = ["api", "kube", "pki", "controller", "gateway", "cmd", "test", "bench"];

const checks: readonly (readonly [name: string, argv: readonly string[]])[] = [
  ["types", ["tsc", "--noEmit"]],
  ["lint", ["oxlint", "--type-aware"]],
  ["format", ["oxfmt", "--check", "."]],
  ["unused code", ["knip"]],
  ["one-way folders", ["depcruise", "--config", ".dependency-cruiser.mjs", ...folders]],
  ["generated files", ["node", "cmd/generate/generate.ts", "--check"]],
];

// When its parser does not understand TypeScript, dependency-cruiser passes over the .ts files and finds nothing wrong.
const vacuous = /\(\d{1,2} modules,/;

let failed = 0;
for (const [name, [program = "", ...args]] of checks) {
  const startedMs = performance.now();
  const result = spawnSync(program, args, { cwd: projectFolder, encoding: "utf8" });
  const seconds = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
  const ok = result.status === 0 && !vacuous.test(result.stdout + result.stderr);
  console.log(`${ok ? pc.green("ok    ") : pc.red("failed")}  ${name} ${pc.dim(seconds)}`);
  if (ok) continue;
  failed++;
  const output = [result.stdout, result.stderr, result.error?.message]
    .filter(Boolean)
    .join("\n")
    .trimEnd();
  console.log(output.replaceAll(/^/gm, "        "));
}
console.log(`${checks.length - failed} checks passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
