import { spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BinaryTarget, binaryTargets } from "./binaries.ts";
import { withLock } from "./build-lock.ts";
import { type ProgressSink, withProgress } from "./progress.ts";

const maxErrorLines = 30;

/** Runs the Go compiler for one binary; the result takes its name only once it is whole. */
function build(target: BinaryTarget): Promise<void> {
  const partial = `${target.output}.${process.pid}.partial`;
  const flags = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", target.ldflags];
  const env = { ...process.env, ...(target.isStatic ? { CGO_ENABLED: "0" } : {}) };
  const args = ["build", "-C", target.moduleFolder, ...flags, "-o", partial, target.goPackage];
  return new Promise((resolve, reject) => {
    const child = spawn("go", args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) {
        renameSync(partial, target.output);
        resolve();
        return;
      }
      rmSync(partial, { force: true });
      const tail = output.trimEnd().split("\n").slice(-maxErrorLines).join("\n");
      reject(new Error(`building ${target.name} failed:\n${tail}`));
    });
  });
}

const isMissing = ({ output }: BinaryTarget) => !existsSync(output);

/**
 * Builds those of the bed's binaries that the cache lacks, one after the other: each uses all cores by itself.
 * @throws Error with the compiler's output if one cannot be built.
 */
export async function buildMissing(sink: ProgressSink): Promise<void> {
  const [first] = binaryTargets().filter(isMissing);
  if (!first) return;
  const folder = dirname(first.output);
  mkdirSync(folder, { recursive: true });
  const onWait = (pid: number) =>
    sink.write(`set-up: waiting for process ${pid}, which is building\n`);
  await withLock(join(folder, "build.lock"), onWait, async () => {
    // Another run may have built some meanwhile.
    const missing = binaryTargets().filter(isMissing);
    for (const [index, target] of missing.entries()) {
      const title = `building ${target.name} (${index + 1} of ${missing.length})`;
      await withProgress(sink, title, () => build(target));
    }
  });
}
