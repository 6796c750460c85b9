import { expect, test } from "vitest";
import { run, runOk } from "./command.ts";

test("run returns what a failing command printed and its code", async () => {
  const result = await run(["sh", "-c", "cat; echo broken >&2; exit 3"], { input: "in" });
  expect(result).toEqual({ stdout: "in", stderr: "broken\n", code: 3 });
});

test("run ends a command that takes too long", async () => {
  const result = await run(["sleep", "600"], { timeoutMs: 50 });
  expect(result.code).toBe(124);
});

test("run gives a missing command the code shells give it", async () => {
  expect((await run(["/no/such/program"])).code).toBe(127);
});

test("runOk throws with the command and its complaint", async () => {
  await expect(runOk(["sh", "-c", "echo no luck >&2; exit 1"])).rejects.toThrow(
    /exit 1: exit code 1: no luck/,
  );
});
