import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { archivePath, packArchive, writeWhole } from "./archive.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "isthmus-archive-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("an archive", () => {
  test("is one that tar unpacks, readable by its owner only", async () => {
    const file = path.join(folder, "a.tar.gz");
    const files = [
      { path: "index.yaml", content: "a: 1\n" },
      { path: "logs/pod/gateway.log", content: "ü".repeat(700) },
    ];
    await writeWhole(file, packArchive("top", files));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    execFileSync("tar", ["-xzf", file, "-C", folder]);
    for (const { path: name, content } of files) {
      expect(readFileSync(path.join(folder, "top", name), "utf8")).toBe(content);
    }
  });

  test("is not there at all when it cannot be written", async () => {
    writeFileSync(path.join(folder, "taken"), "");
    const inFile = path.join(folder, "taken", "a.tar.gz");
    await expect(writeWhole(inFile, Buffer.alloc(1))).rejects.toThrow("ENOTDIR");
    expect(readdirSync(folder)).toEqual(["taken"]);
  });

  test("leaves nothing half-written behind", async () => {
    mkdirSync(path.join(folder, "a.tar.gz"));
    await expect(writeWhole(path.join(folder, "a.tar.gz"), Buffer.alloc(1))).rejects.toThrow(
      "EISDIR",
    );
    expect(readdirSync(folder)).toEqual(["a.tar.gz"]);
  });

  test("has paths as long as a tar header takes them, both ends kept", () => {
    const long = `isthmus-diagnose-x/logs/${"a".repeat(200)}-z1/gateway.log`;
    expect(Buffer.byteLength(archivePath(long))).toBeLessThanOrEqual(100);
    expect(archivePath(long)).toMatch(/^isthmus-diagnose-x\/logs\/a+~a+-z1\/gateway\.log$/);
    expect(archivePath("a/b.log")).toBe("a/b.log");
  });
});
