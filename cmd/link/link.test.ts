import { spawn } from "node:child_process";
import path from "node:path";
import { describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };

const LINK = path.join(import.meta.dirname, "link.ts");

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line as a process of its own, without a terminal. */
async function link(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [LINK, ...args], {
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const collected = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (collected.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (collected.stderr += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, ...collected };
}

describe("the command link", () => {
  test("prints the manifests without any cluster when the name is given", async () => {
    const { code, stdout } = await link(["install", "-o", "yaml", "--cluster-name", "west"]);
    expect(code).toBe(0);
    expect(stdout).toContain("kind: CustomResourceDefinition");
    expect(stdout).toContain("clusterName: west");
  });

  test("ends with 1 and the fix when there is no kubeconfig", async () => {
    const { code, stderr } = await link(["status"]);
    expect(code).toBe(1);
    expect(stderr).toContain("no kubeconfig");
    expect(stderr).toContain("fix: name the file with --kubeconfig");
    expect(stderr).not.toContain("    at ");
  });

  test("shows the stack with --debug", async () => {
    const { stderr } = await link(["status", "--debug"]);
    expect(stderr).toContain("    at ");
  });

  test.each([
    [["stats"], "Did you mean status?"],
    [["status", "--outptu", "json"], "Did you mean --output?"],
    [["status", "-o", "xml"], "Allowed choices are table, json, yaml"],
    [["export", "pod/web", "-n", "shop"], "Name a Service as svc/NAME"],
    [["export", "svc/web"], "required option '-n, --namespace <namespace>'"],
    [["failover", "-A", "-n", "shop"], "cannot be used with option"],
    [["join", "west", "--timeout", "soon"], "such as 90s or 2m"],
    [["install", "--cluster-name", "West"], "at most 63 of a-z"],
    [["rotate", "key"], "Allowed choices are ca"],
    [["join"], "missing required argument 'provider-context'"],
  ])("ends with 2 for %j", async (args, words) => {
    const { code, stderr } = await link(args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });

  test("prints its version to standard output", async () => {
    expect(await link(["version"])).toMatchObject({
      code: 0,
      stdout: `${packageJson.version}\n`,
      stderr: "",
    });
  });

  test("documents its exit codes", async () => {
    const { code, stdout } = await link(["--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/3 +not ready within the timeout/);
  });
});
