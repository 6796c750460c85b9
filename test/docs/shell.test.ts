import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Shell } from "./shell.ts";

const TIMEOUT_MS = 10_000;
let shell: Shell;

beforeEach(() => {
  shell = new Shell({ folder: tmpdir(), environment: { PATH: process.env["PATH"] } });
});

afterEach(() => shell.end());

const run = async (command: string) => {
  const { output, exitCode } = await shell.run(command, TIMEOUT_MS);
  return { output, exitCode };
};

test("a shell keeps what a command sets for the next one", async () => {
  await run('name=west; greet() { echo "hello from $1"; }');
  expect(await run('greet "$name"')).toEqual({ output: "hello from west\n", exitCode: 0 });
});

test("a command's two outputs come together, with how it ended", async () => {
  const command = "echo one; echo two >&2; printf three; (exit 3)";
  expect(await run(command)).toEqual({ output: "one\ntwo\nthree", exitCode: 3 });
});

test("a command that fails within a pipe fails", async () => {
  expect(await run("false | cat")).toMatchObject({ exitCode: 1 });
});

test("a command that reads gets nothing, and not the next command", async () => {
  expect(await run("cat")).toEqual({ output: "", exitCode: 0 });
});

test("a command that takes too long is ended, and what it printed is told", async () => {
  const hanging = shell.run("echo begun; sleep 60", 300);
  await expect(hanging).rejects.toThrow(/took over 0.3 s; it had printed:\nbegun/);
});

test("a command that ends the shell is told from one that fails", async () => {
  await expect(run("exit 0")).rejects.toThrow("ended the shell");
});
