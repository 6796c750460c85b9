import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../cmd/build/cache-folder.ts";
import { runOk } from "../../test/bed/command.ts";

const SOURCE_FOLDER = join(import.meta.dirname, "load");
const BUILD_TIMEOUT_MS = 120_000;

/**
 * Builds the bench's own server and clients (`load/`) unless the cache holds them as they are now.
 * @returns the argv they start with
 */
export async function buildLoadTool(): Promise<string[]> {
  const hash = createHash("sha256");
  for (const name of readdirSync(SOURCE_FOLDER).toSorted()) {
    hash.update(`${name}\n`).update(readFileSync(join(SOURCE_FOLDER, name)));
  }
  const output = join(cacheFolder("bin"), `bench-load-${hash.digest("hex").slice(0, 16)}`);
  if (!existsSync(output)) {
    const partial = `${output}.${process.pid}.partial`;
    const flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", partial, "."];
    await runOk(["env", "CGO_ENABLED=0", "go", "build", "-C", SOURCE_FOLDER, ...flags], {
      timeoutMs: BUILD_TIMEOUT_MS,
    });
    renameSync(partial, output);
  }
  // Its loops wait in the kernel for long; the runtime would interrupt them with signals.
  return ["env", "GODEBUG=asyncpreemptoff=1", output];
}
