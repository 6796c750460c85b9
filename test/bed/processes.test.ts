import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { poll } from "./poll.ts";
import {
  isAlive,
  logTail,
  processControl,
  readRecords,
  signalProcess,
  startProcess,
} from "./processes.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isthmus-processes-"));
});

afterEach(() => {
  for (const record of readRecords(folder)) signalProcess(record, "SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function startSleeper(label = "sleeper") {
  const argv = [process.execPath, "-e", "console.log('up'); setInterval(() => {}, 1000)"];
  return startProcess(folder, { label, argv, logPath: join(folder, `${label}.log`) });
}

test("a started process is recorded, logs to its file, and can be stopped and started again", async () => {
  const first = startSleeper();
  expect(readRecords(folder)).toEqual([first]);
  await poll("it logs", () => logTail(first.logPath) === "up", { timeoutMs: 10_000 });
  const control = processControl(folder, "sleeper");
  await control.stop();
  expect(control.isRunning()).toBe(false);
  control.start();
  expect(control.isRunning()).toBe(true);
  expect(readRecords(folder)).toHaveLength(1);
  expect(readRecords(folder)[0]?.pid).not.toBe(first.pid);
});

test("another process with the id of a recorded one is not taken for it", () => {
  const record = startSleeper();
  const impostor = { ...record, startTime: String(Number(record.startTime) - 1) };
  expect(isAlive(impostor)).toBe(false);
  signalProcess(impostor, "SIGKILL");
  expect(isAlive(record)).toBe(true);
});

test("a record that was cut off while it was written is passed over", () => {
  const record = startSleeper();
  appendFileSync(join(folder, "processes.jsonl"), '{"label":"half","pi');
  expect(readRecords(folder)).toEqual([record]);
});

test("a program that does not exist is an error that names it", () => {
  const spec = {
    label: "nothing",
    argv: ["/no/such/program"],
    logPath: join(folder, "nothing.log"),
  };
  expect(() => startProcess(folder, spec)).toThrow(
    "cannot start nothing: /no/such/program not found",
  );
});

test("control over a process that was never started is an error", () => {
  expect(() => processControl(folder, "nobody")).toThrow("the bed has no process nobody");
});
