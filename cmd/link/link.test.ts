import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { systemClock } from "../../api/clock.ts";
import { readProgram, everyCommand } from "./program.ts";
import { runLink } from "./run.ts";

const LINK = path.join(import.meta.dirname, "link.ts");
const NO_KUBECONFIG = ["--kubeconfig", "/nonexistent/config"];

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, without a terminal. */
async function link(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const { signal } = new AbortController();
  const code = await runLink({
    args,
    name: "link",
    env,
    stdout,
    stderr,
    clock: systemClock,
    signal,
  });
  stdout.end();
  stderr.end();
  return { code, stdout: await text(stdout), stderr: await text(stderr) };
}

describe("the command link", () => {
  test("prints the manifests without any cluster when the name is given", async () => {
    const { code, stdout } = await link(["install", "-o", "yaml", "--cluster-name", "west"]);
    expect(code).toBe(0);
    expect(stdout).toContain("kind: CustomResourceDefinition");
    expect(stdout).toContain("clusterName: west");
  });

  test("ends with 1 and the fix when there is no kubeconfig", async () => {
    const { code, stderr } = await link(["status", ...NO_KUBECONFIG]);
    expect(code).toBe(1);
    expect(stderr).toContain("no kubeconfig");
    expect(stderr).toContain("fix: name the file with --kubeconfig");
    expect(stderr).not.toContain("    at ");
  });

  test("shows the stack with --debug, also of a command below another", async () => {
    for (const command of ["status", "rotate ca"]) {
      const { stderr } = await link([...command.split(" "), "--debug", ...NO_KUBECONFIG]);
      expect(stderr).toContain("    at ");
    }
  });

  test("is in colour where FORCE_COLOR asks for it, unless --no-color is given", async () => {
    const env = { FORCE_COLOR: "1" };
    const [red, plain] = ["\u001B[31m✗\u001B[39m no kubeconfig", "✗ no kubeconfig"];
    expect((await link(["status", ...NO_KUBECONFIG], env)).stderr).toContain(red);
    expect((await link(["status", "--no-color", ...NO_KUBECONFIG], env)).stderr).toContain(plain);
  });

  test.each([
    [["stats"], "Did you mean status?"],
    [["status", "--outptu", "json"], "Did you mean --output?"],
    [["status", "-o", "xml"], "Allowed choices are table, json, yaml"],
    [["export", "pod/web", "-n", "shop"], "Name a Service as svc/NAME"],
    [["failover", "-A", "-n", "shop"], "cannot be used with option"],
    [["join", "west", "--timeout", "soon"], "such as 90s or 2m"],
    [["install", "--cluster-name", "West"], "at most 63 of a-z"],
    [["rotate", "key"], "Allowed choices are ca"],
    [["join"], "missing required argument 'provider-context'"],
    [[], "Usage: link"],
  ])("ends with 2 for %j", async (args, words) => {
    const { code, stdout, stderr } = await link(args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(stdout).toBe("");
  });

  test("prints its version to standard output", async () => {
    expect(await link(["version"])).toEqual({
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

const program = readProgram();

/** `token issue`: a command's name with those above it. */
function wordsOf(command: { name(): string; parent: typeof program | null }): string[] {
  return command.parent === null ? [] : [...wordsOf(command.parent), command.name()];
}

describe("every command", () => {
  const leaves = everyCommand(program).filter(({ commands }) => commands.length === 0);

  test.each(leaves.map((command) => [wordsOf(command).join(" "), command.summary()]))(
    "%s has a summary, examples and --debug, and says where exit codes are",
    async (words, summary) => {
      expect(summary).toMatch(/^[a-z].*[^.]$/);
      const { code, stdout } = await link([...words.split(" "), "--help"]);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples:\\n {2}# [A-Z].*\\n {2}.*link ${words}`));
      expect(stdout).toContain("--debug  ");
      expect(stdout).toContain("Exit codes: link --help");
    },
  );
});

/** Runs the command line as a process of its own, without a terminal. */
function start(...args: string[]) {
  return spawn(process.execPath, [LINK, ...args], {
    env: { PATH: process.env["PATH"], HOME: "/nonexistent" },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

test.concurrent("as a process, link gives its exit code, and reads HOME", async () => {
  const child = start("status");
  const stderr = text(child.stderr);
  expect(await once(child, "close")).toEqual([1, null]);
  expect(await stderr).toContain("/nonexistent/.kube/config not found");
});

test.concurrent("who reads only the first lines of the output gets no error", async () => {
  const child = start("install", "-o", "yaml", "--cluster-name", "west");
  const stderr = text(child.stderr);
  child.stdout.destroy();
  expect(await once(child, "close")).toEqual([0, null]);
  expect(await stderr).toBe("");
});
