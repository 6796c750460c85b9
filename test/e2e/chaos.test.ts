import { expect, it } from "vitest";
import { runChaos } from "../../bench/chaos/chaos.ts";

const MINUTE_MS = 60_000;
/** One whose lanes have all kinds of faults among their first eleven. */
const SEED = 4593;

it(
  "keeps every promise through two minutes of random faults",
  // A starved machine loses a SYN, whose retransmission alone takes a second; twice in a row is no accident.
  { timeout: 8 * MINUTE_MS, retry: 1 },
  async () => {
    const { verdicts, faults } = await runChaos({
      seed: SEED,
      durationMs: 2 * MINUTE_MS,
      say: (line) => process.stderr.write(`${line}\n`),
    });
    expect(faults.length).toBeGreaterThan(0);
    expect(verdicts.filter(({ problems }) => problems.length > 0)).toEqual([]);
  },
);
