import { expect, test } from "vitest";
import { HopelessError, poll } from "./poll.ts";

test("poll returns the first value that is neither undefined nor false", async () => {
  const values = [undefined, false, 0];
  expect(await poll("a value", () => values.shift(), { timeoutMs: 5000, intervalMs: 1 })).toBe(0);
});

const findClosed = () => Promise.reject(new Error("still closed"));

test("poll says what it waited for and what it saw last", async () => {
  const polling = poll("the door opens", findClosed, { timeoutMs: 20, intervalMs: 1 });
  await expect(polling).rejects.toThrow(
    "not within 0.02 s: the door opens; last seen: still closed",
  );
});

test("poll gives up at once on an error no further try can save", async () => {
  let tries = 0;
  const attempt = () => {
    tries++;
    throw new HopelessError("it has ended");
  };
  await expect(poll("it answers", attempt, { timeoutMs: 60_000, intervalMs: 1 })).rejects.toThrow(
    "it has ended",
  );
  expect(tries).toBe(1);
});

test("poll ends with the reason of its signal", async () => {
  const abort = new AbortController();
  const polling = poll("nothing", () => undefined, { timeoutMs: 60_000, signal: abort.signal });
  abort.abort(new Error("interrupted"));
  await expect(polling).rejects.toThrow(/interrupted|aborted/);
});
