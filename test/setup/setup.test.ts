import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { requiredVersion } from "./binaries.ts";
import { withLock } from "./build-lock.ts";
import { missingPackages } from "./packages.ts";
import { minutesAndSeconds, withProgress } from "./progress.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-setup-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("the bootstrap", () => {
  const bootstrap = join(import.meta.dirname, "bootstrap.mjs");

  test("names what a machine lacks and exits with code 2", () => {
    // A PATH with npm's Node and without Go.
    symlinkSync(process.execPath, join(folder, "node"));
    const { status, stderr } = spawnSync(process.execPath, [bootstrap, "demo"], {
      encoding: "utf8",
      env: { PATH: folder },
    });
    expect(stderr).toContain("npm run demo cannot run on this machine. Missing:");
    expect(stderr).toMatch(/- Go 1\.26 or newer; there is none in the PATH: install it/);
    expect(stderr).toMatch(/- npm 10 or newer; there is none/);
    expect(status).toBe(2);
  });

  test("refuses a command it does not know", () => {
    const { status, stderr } = spawnSync(process.execPath, [bootstrap, "party"], {
      encoding: "utf8",
    });
    expect(stderr).toMatch(/^usage: /);
    expect(status).toBe(64);
  });
});

describe("required versions", () => {
  test("are read from both forms of require", () => {
    const goMod =
      "require (\n\tk8s.io/kubernetes v1.35.4 // indirect\n)\nrequire k8s.io/api v0.35.4\n";
    expect(requiredVersion(goMod, "k8s.io/kubernetes")).toBe("v1.35.4");
    expect(requiredVersion(goMod, "k8s.io/api")).toBe("v0.35.4");
  });

  test("are not taken from replace or tool lines", () => {
    const goMod = "tool k8s.io/kubernetes/cmd/kubelet\nreplace k8s.io/api => k8s.io/api v0.35.4\n";
    expect(() => requiredVersion(goMod, "k8s.io/api")).toThrow(
      "go.mod does not require k8s.io/api",
    );
  });
});

test("a package counts as missing when dpkg does not know it, or knows it as removed", () => {
  const dpkg = "runc installed\nnftables config-files\n";
  expect(missingPackages(dpkg, ["runc", "nftables", "containerd"])).toEqual([
    "nftables",
    "containerd",
  ]);
});

describe("progress", () => {
  test("tells start, end and time, a line each where there is no terminal", async () => {
    let text = "";
    const sink = { write: (part: string) => (text += part) };
    expect(await withProgress(sink, "building etcd (1 of 2)", async () => "built")).toBe("built");
    expect(text).toBe(
      "set-up: building etcd (1 of 2) … 0:00\nset-up: building etcd (1 of 2) done in 0:00\n",
    );
  });

  test("tells of failure", async () => {
    let text = "";
    const sink = { isTTY: true, write: (part: string) => (text += part) };
    const failing = withProgress(sink, "building etcd", () =>
      Promise.reject(new Error("no space")),
    );
    await expect(failing).rejects.toThrow("no space");
    expect(text).toContain("\r\u001B[Kset-up: building etcd failed after 0:00\n");
  });

  test("counts minutes", () => {
    expect(minutesAndSeconds(305_400)).toBe("5:05");
  });
});

const lock = () => join(folder, "build.lock");

describe("the build lock", () => {
  test("lets one task in at a time", async () => {
    const events: string[] = [];
    const task = (name: string) => async () => {
      events.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`${name} ends`);
    };
    const waited: number[] = [];
    const onWait = (pid: number) => waited.push(pid);
    await Promise.all([
      withLock(lock(), onWait, task("one")),
      withLock(lock(), onWait, task("two")),
    ]);
    expect(events).toEqual(["one begins", "one ends", "two begins", "two ends"]);
    expect(waited).toEqual([process.pid]);
  });

  test("does not wait for a process that has died", async () => {
    const { pid } = spawnSync("true");
    writeFileSync(lock(), String(pid));
    const waited: number[] = [];
    expect(
      await withLock(
        lock(),
        (holder) => waited.push(holder),
        async () => "in",
      ),
    ).toBe("in");
    expect(waited).toEqual([]);
  });
});
