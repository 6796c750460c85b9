import { systemClock } from "../../../api/clock.ts";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import { CliError } from "../../../cmd/link/cli-error.ts";
import type { JoinOptions } from "../../../cmd/link/join/join.ts";
import { unjoin } from "../../../cmd/link/unjoin/unjoin.ts";
import type { UnjoinOptions } from "../../../cmd/link/unjoin/unjoin-options.ts";
import { type Clusters, recordingReporter, snapshot } from "./cli-bed.ts";

export const inSystem = (name: string) => ({ namespace: INSTALL_NAMESPACE, name });

/** Options to join east to west, without waiting: no controller runs here. */
export function joinOptions(clusters: Clusters, changes: Partial<JoinOptions> = {}): JoinOptions {
  return {
    provider: clusters.open("west"),
    consumer: clusters.open("east"),
    mutual: false,
    wait: false,
    timeoutMs: 1000,
    reporter: recordingReporter(),
    clock: systemClock,
    signal: new AbortController().signal,
    ...changes,
  };
}

/** Options to unjoin east from west, on east's side only. */
export function unjoinOptions(
  clusters: Clusters,
  changes: Partial<UnjoinOptions> = {},
): UnjoinOptions {
  return {
    access: clusters.open("east"),
    linkName: "west",
    force: false,
    timeoutMs: 5000,
    reporter: recordingReporter(),
    clock: systemClock,
    signal: new AbortController().signal,
    ...changes,
  };
}

export async function unjoinBoth(clusters: Clusters): Promise<void> {
  await unjoin(unjoinOptions(clusters, { provider: clusters.open("west") }));
}

/** The error a command ends with. */
export async function failureOf(attempt: Promise<unknown>): Promise<CliError> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

/** What west and east hold, to compare before and after. */
export async function both(clusters: Clusters): Promise<Map<string, string>[]> {
  return [await snapshot(clusters.open("west")), await snapshot(clusters.open("east"))];
}

/** A condition as the controller writes it to a Link's status. */
export function condition(type: string, status: string, reason: string, message: string) {
  return { type, status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" };
}
