import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeImageArchive, writeLayer } from "./image-archive.ts";
import { librariesOf } from "./base-layer.ts";
import { type LayerEntry, tarHeader } from "./tar.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-archive-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const tar = (...args: string[]) => execFileSync("tar", args, { encoding: "utf8" });

function entries(): LayerEntry[] {
  const source = join(folder, "source");
  writeFileSync(source, "x".repeat(1000));
  return [
    { type: "file", path: "app/main.mjs", mode: 0o755, source, uid: 65_532, gid: 65_532 },
    { type: "folder", path: "app", mode: 0o755 },
    { type: "link", path: "app/link", mode: 0o777, target: "main.mjs" },
    { type: "file", path: "empty", mode: 0o600, source: "", content: Buffer.alloc(0) },
  ];
}

test("tar reads a layer back: sorted, with modes and owners, and as old as can be", async () => {
  const { path } = await writeLayer(join(folder, "layer.tar"), entries());
  const listed = tar("--list", "--verbose", "--numeric-owner", "--utc", "--file", path);
  expect(
    listed
      .trim()
      .split("\n")
      .map((line) => line.replaceAll(/ +/g, " ")),
  ).toEqual([
    "drwxr-xr-x 0/0 0 1970-01-01 00:00 app/",
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00 app/link -> main.mjs",
    "-rwxr-xr-x 65532/65532 1000 1970-01-01 00:00 app/main.mjs",
    "-rw------- 0/0 0 1970-01-01 00:00 empty",
  ]);
  expect(tar("--extract", "--to-stdout", "--file", path, "app/main.mjs")).toBe("x".repeat(1000));
});

test("the same files give the same layer, whatever their order and times", async () => {
  const first = await writeLayer(join(folder, "first.tar"), entries());
  const again = entries().toReversed();
  utimesSync(join(folder, "source"), 1, 1);
  const second = await writeLayer(join(folder, "second.tar"), again);
  expect(second.sha256).toBe(first.sha256);
  expect(readFileSync(second.path).equals(readFileSync(first.path))).toBe(true);
});

test("an image names its layers and says how to run it", async () => {
  const layer = await writeLayer(join(folder, "layer.tar"), entries());
  const output = join(folder, "image.tar");
  const config = { Entrypoint: ["/usr/local/bin/node"], User: "65532:65532" };
  await writeImageArchive({ output, reference: "localhost/isthmus:dev", layers: [layer], config });
  const part = (name: string) =>
    JSON.parse(tar("--extract", "--to-stdout", "--file", output, name));
  const [manifest] = part("manifest.json");
  expect(manifest.RepoTags).toEqual(["localhost/isthmus:dev"]);
  expect(manifest.Layers).toEqual([`blobs/sha256/${layer.sha256}`]);
  expect(part(manifest.Config)).toMatchObject({
    architecture: "amd64",
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [`sha256:${layer.sha256}`] },
  });
});

test("a path too long for a tar header is refused", () => {
  const entry: LayerEntry = { type: "folder", path: "a".repeat(100), mode: 0o755 };
  expect(() => tarHeader(entry, 0)).toThrow(RangeError);
});

test("the libraries of a program are read from what ldd prints", () => {
  const printed = [
    "\tlinux-vdso.so.1 (0x00007ffd8b5f2000)",
    "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f8a1c000000)",
    "\t/lib64/ld-linux-x86-64.so.2 (0x00007f8a1c3f5000)",
  ].join("\n");
  expect(librariesOf(printed)).toEqual([
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
  ]);
});
