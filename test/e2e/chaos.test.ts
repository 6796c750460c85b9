import { expect, it } from "vitest";
import { runChaos } from "../../bench/chaos/chaos.ts";

const MINUTE_MS = 60_000;
const CHAOS_MINUTES = Number(process.env["ISTHMUS_CHAOS_MINUTES"] ?? 1 / 3);
/** One that has 14 of the 20 kinds of faults in its first 40 seconds, and all but one within two minutes, which CI takes. */
const SEED = 279_048;

it(
  "keeps every promise through random faults",
  // A starved machine loses a SYN, whose retransmission alone takes a second; twice in a row is no accident.
  { timeout: (2 * CHAOS_MINUTES + 5) * MINUTE_MS, retry: 1 },
  async () => {
    const { verdicts, faults } = await runChaos({
      seed: SEED,
      durationMs: CHAOS_MINUTES * MINUTE_MS,
      say: (line) => process.stderr.write(`${line}\n`),
    });
    expect(faults.length).toBeGreaterThan(0);
    expect(verdicts.filter(({ problems }) => problems.length > 0)).toEqual([]);
  },
);
