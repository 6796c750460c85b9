import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../cmd/build/cache-folder.ts";
import { describeMachine } from "../machine.ts";
import { publish } from "../publish.ts";
import type { CaseGroup } from "./cases.ts";
import { drawFigure } from "./figure.ts";
import { FULL_PLAN, QUICK_PLAN, measureGateway } from "./gateway.ts";
import { gatewayRecord, gatewayReport } from "./report.ts";

/** What is asked for on the command line. */
export interface GatewayBench {
  readonly quick: boolean;
  /** All cases when empty. */
  readonly only: readonly CaseGroup[];
  readonly profile: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs the bench. Only a run of all cases without profiles is for the record, and of those only one that is not quick gets
 * into docs/benchmarks.md.
 */
export async function benchGateway({ quick, only, profile, say, signal }: GatewayBench) {
  const profileFolder = profile
    ? mkdtempSync(join(cacheFolder("profiles"), "gateway-"))
    : undefined;
  const plan = quick ? QUICK_PLAN : FULL_PLAN;
  const result = await measureGateway({ plan, only, profileFolder, say, signal });
  if (profileFolder !== undefined) say(`CPU profiles: ${profileFolder}`);
  const machine = describeMachine(Date.now());
  const report = gatewayReport(machine, result);
  const whole = only.length === 0 && !profile;
  if (whole && !quick) {
    await publish("gateway", {
      report,
      figure: drawFigure(result.samples),
      figureName: "gateway",
      caption: "CPU against HAProxy, throughput against the direct way",
    });
  }
  return { record: whole ? gatewayRecord(machine, result) : undefined, report, passed: true };
}
