import { execFile } from "node:child_process";
import { access, constants, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "./bundle.ts";

const run = promisify(execFile);
const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");
const built = { folder: "", files: { controller: "", gateway: "", link: "" } };

beforeAll(async () => {
  built.folder = await mkdtemp(path.join(tmpdir(), "isthmus-bundle-"));
  built.files = await bundle(built.folder);
}, 60_000);

afterAll(async () => {
  await rm(built.folder, { recursive: true, force: true });
});

describe("the bundles", () => {
  test.each(["controller", "gateway", "link"] as const)(
    "name no folder of this machine: %s",
    async (name) => {
      const text = await readFile(built.files[name], "utf8");
      expect(text).not.toContain(PROJECT_FOLDER);
    },
  );

  test("hold a CLI that runs by itself, with the manifests inside", async () => {
    await access(built.files.link, constants.X_OK);
    const args = ["install", "-o", "yaml", "--cluster-name", "west"];
    const options = { cwd: built.folder, maxBuffer: 8 * 1024 * 1024 };
    const bundled = await run(process.execPath, [built.files.link, ...args], options);
    const source = path.join(PROJECT_FOLDER, "cmd/link/link.ts");
    const unbundled = await run(process.execPath, [source, ...args], options);
    expect(bundled.stdout).toBe(unbundled.stdout);
    expect(bundled.stdout).toContain("kind: Deployment");
  });
});
