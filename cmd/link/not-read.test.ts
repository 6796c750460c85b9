import { expect, test } from "vitest";
import { CliError } from "./cli-error.ts";
import { ReadingGaps } from "./not-read.ts";

const { signal } = new AbortController();

test("what cannot be read is noted with its reason, in order, and something stands in for it", async () => {
  const gaps = new ReadingGaps(signal);
  expect(await gaps.orElse("Peers", Promise.reject(new Error("refused")), ["none"])).toEqual([
    "none",
  ]);
  expect(await gaps.orElse("Events", Promise.resolve(["one"]), [])).toEqual(["one"]);
  gaps.add("Links", "late");
  expect(gaps.list).toEqual([
    { what: "Links", why: "late" },
    { what: "Peers", why: "refused" },
  ]);
});

test("what was found out, such as that Isthmus is not installed, ends the view", async () => {
  const gaps = new ReadingGaps(signal);
  const answer = new CliError("not installed");
  await expect(gaps.orElse("Links", Promise.reject(answer), [])).rejects.toBe(answer);
});

test("Ctrl-C is no gap", async () => {
  const gaps = new ReadingGaps(AbortSignal.abort(new Error("interrupted")));
  const reading = Promise.reject(new Error("aborted"));
  await expect(gaps.orElse("Links", reading, [])).rejects.toThrow("interrupted");
});
