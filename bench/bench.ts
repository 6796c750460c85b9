import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { errorMessage } from "../api/errors.ts";
import { untilInterrupted } from "../test/system/interrupt.ts";
import { describeMachine } from "./machine.ts";
import { smokeReport } from "./smoke/report.ts";
import { FULL_PLAN, measureSmoke, QUICK_PLAN } from "./smoke/smoke.ts";

const RESULTS_FOLDER = new URL("results/", import.meta.url);

const USAGE = `npm run bench -- smoke [--quick]
  smoke    export to first answer, gateway killed to refused, rate and latency through both gateways
  --quick  fewer runs: for a look, not for the record`;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false } },
  });
  if (positionals[0] !== "smoke" || positionals.length > 1) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const { signal } = untilInterrupted();
  const result = await measureSmoke(values.quick ? QUICK_PLAN : FULL_PLAN, say, signal);
  const machine = describeMachine(Date.now());
  mkdirSync(RESULTS_FOLDER, { recursive: true });
  writeFileSync(
    new URL("smoke.json", RESULTS_FOLDER),
    `${JSON.stringify({ machine, ...result }, undefined, 2)}\n`,
  );
  process.stdout.write(smokeReport(machine, result));
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench failed: ${errorMessage(error)}\n`);
  process.exitCode = 1;
}
