import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { systemClock } from "../../../api/clock.ts";
import { createProgram } from "../program.ts";
import { silentReporter } from "../reporter.ts";
import { completeWords } from "./complete.ts";

const { signal } = new AbortController();
const program = createProgram({
  reporter: silentReporter,
  clock: systemClock,
  signal,
  write: () => {},
  useColor: false,
});

let folder: string;
let kubeconfig: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "isthmus-test-"));
  kubeconfig = path.join(folder, "config");
  const contexts = ["west", "east", "arn:aws:eks:west"].map((name) => ({
    name,
    // Nothing listens there: names that only a cluster knows cannot be had.
    context: { cluster: "c", user: "u" },
  }));
  const clusters = [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }];
  const users = [{ name: "u", user: { token: "x" } }];
  await writeFile(kubeconfig, stringify({ contexts, clusters, users, "current-context": "west" }));
});

afterAll(async () => await rm(folder, { recursive: true }));

/** The candidates without their descriptions, and the directive last. */
async function complete(...words: string[]): Promise<string[]> {
  const env = { KUBECONFIG: kubeconfig };
  const answer = await completeWords(program, words, { env, signal });
  return answer
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t")[0] ?? "");
}

describe("a completion", () => {
  test.each<[string[], string[]]>([
    [["expo"], ["export"]],
    [
      ["token", "re"],
      ["redeem", "revoke"],
    ],
    [["token", "issue", "more", "re"], []],
    [["status", "--con"], ["--context"]],
    [["status", "--context", "we"], ["west"]],
    [["status", "--context=we"], ["--context=west"]],
    [["status", "--context", "arn:"], ["arn:aws:eks:west"]],
    [
      ["status", "-o", ""],
      ["table", "json", "yaml"],
    ],
    [["join", "ea"], ["east"]],
    [["join", "--provider-kubeconfig", "/nonexistent", "ea"], []],
    [["rotate", ""], ["ca"]],
    [["rotate", "ca", ""], []],
    [["rotate", "--", "--a"], []],
    [["rotate", "ca", "--ab"], ["--abort"]],
    [["version", "--context=we"], []],
    [["nonsense", ""], []],
  ])("of %j is %j", async (words, candidates) => {
    expect(await complete(...words)).toEqual([...candidates, ":4"]);
  });

  test("begins with the commands, each with what it does", async () => {
    const answer = await completeWords(program, [""], { env: {}, signal });
    expect(answer).toContain("status\tshow links, mirrors and what is skipped\n");
    expect(answer).not.toContain("__complete");
  });

  test("leaves out an option that was given", async () => {
    expect(await complete("status", "--context=west", "--co")).toEqual([":4"]);
  });

  test("asks for files where one is to be named", async () => {
    expect(await complete("status", "--kubeconfig", "/et")).toEqual([":0"]);
  });

  test("has nothing where the cluster does not answer", async () => {
    expect(await complete("status", "")).toEqual([":4"]);
  });
});
