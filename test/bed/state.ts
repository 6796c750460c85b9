import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClusterSpec } from "./bed.ts";
import { slotFolder } from "./slot.ts";

/** What has to be known about a running local bed to use it from another process. */
export interface BedState {
  readonly slot: number;
  readonly logsFolder: string;
  /** The logs folder was asked for by the caller, so it stays. */
  readonly ownLogsFolder: boolean;
  readonly clusters: readonly ClusterSpec[];
}

/** Writes the state once the bed is up. */
export function writeState(state: BedState): void {
  const path = join(slotFolder(state.slot), "state.json");
  writeFileSync(`${path}.new`, JSON.stringify(state, null, 2));
  renameSync(`${path}.new`, path);
}

/** Reads the state of the bed in a slot; undefined if there is none that came up. */
export function readState(slot: number): BedState | undefined {
  try {
    const state: BedState = JSON.parse(readFileSync(join(slotFolder(slot), "state.json"), "utf8"));
    return state;
  } catch {
    return undefined;
  }
}
