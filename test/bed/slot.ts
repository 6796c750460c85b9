import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { slotCount } from "./address-plan.ts";
import { hasCode } from "./error-code.ts";
import { isAlive, readRecords, startTimeOf } from "./processes.ts";
import { sweepSlot } from "./sweep.ts";

/** Who holds a slot: a process, or the bed itself once it is detached from the process that made it. */
export interface SlotOwner {
  readonly pid: number;
  readonly startTime: string;
  readonly detached: boolean;
}

// Between making the folder and writing the owner there are microseconds, not seconds.
const ownerlessAgeMs = 10_000;

/** The folder of the bed in a slot. It is short: paths of Unix sockets beneath it are limited to 107 bytes. */
export function slotFolder(slot: number): string {
  return join(tmpdir(), `isthmus-bed-${slot}`);
}

/** The owner of a slot; undefined when the slot is free or was left half claimed. */
export function readOwner(slot: number): SlotOwner | undefined {
  return readOwnerFile(join(slotFolder(slot), "owner.json"));
}

function readOwnerFile(path: string): SlotOwner | undefined {
  try {
    const owner: SlotOwner = JSON.parse(readFileSync(path, "utf8"));
    return owner;
  } catch {
    return undefined;
  }
}

function writeOwner(slot: number, owner: SlotOwner): void {
  const path = join(slotFolder(slot), "owner.json");
  writeFileSync(`${path}.new`, JSON.stringify(owner));
  renameSync(`${path}.new`, path);
}

/** This process as an owner. */
export function claimantOf(detached: boolean): SlotOwner {
  return { pid: process.pid, startTime: startTimeOf(process.pid) ?? "", detached };
}

/** Marks the bed as outliving this process. */
export function detachSlot(slot: number): void {
  writeOwner(slot, claimantOf(true));
}

/** Makes this process the owner of a bed that was brought up detached: when it dies, so does the bed's right to stay. */
export function adoptSlot(slot: number): void {
  writeOwner(slot, claimantOf(false));
}

/** The slots that have a folder, used or left over. */
export function usedSlots(): number[] {
  return Array.from({ length: slotCount }, (_, slot) => slot).filter((slot) =>
    existsSync(slotFolder(slot)),
  );
}

/** Whether a slot's folder is what a dead process, or a machine that was restarted, left behind. */
export function isStale(slot: number): boolean {
  const owner = readOwner(slot);
  if (owner?.detached) return !readRecords(slotFolder(slot)).some(isAlive);
  if (owner) return !isAlive(owner);
  const folder = statSync(slotFolder(slot), { throwIfNoEntry: false });
  return folder !== undefined && Date.now() - folder.mtimeMs > ownerlessAgeMs;
}

function sameOwner(one: SlotOwner | undefined, other: SlotOwner | undefined): boolean {
  return one?.pid === other?.pid && one?.startTime === other?.startTime;
}

/**
 * Makes this process the owner of a slot whose owner has died, so that it can sweep it. Returns false when somebody
 * else was quicker.
 */
export function takeOver(slot: number, deadOwner: SlotOwner | undefined): boolean {
  const path = join(slotFolder(slot), "owner.json");
  const taken = `${path}.${process.pid}`;
  if (deadOwner) {
    // Of two that try at once only one can rename the file.
    try {
      renameSync(path, taken);
    } catch {
      return false;
    }
    if (!sameOwner(readOwnerFile(taken), deadOwner)) {
      renameSync(taken, path);
      return false;
    }
  }
  writeOwner(slot, claimantOf(false));
  return true;
}

/** Cleans up every slot whose owner has died. */
export async function reclaimStaleSlots(onProgress?: (line: string) => void): Promise<void> {
  for (const slot of usedSlots()) {
    const owner = readOwner(slot);
    if (!isStale(slot) || !takeOver(slot, owner)) continue;
    onProgress?.(`cleaning up what a dead run left in slot ${slot}`);
    await sweepSlot(slot, slotFolder(slot));
  }
}

/**
 * Takes a free slot for this process.
 * @throws Error when all are in use.
 */
export function claimSlot(): number {
  for (let slot = 0; slot < slotCount; slot++) {
    // Names in /run/netns are machine-wide, the temp folder need not be: such a slot belongs to somebody else.
    if (existsSync(`/run/netns/is${slot}-fabric`)) continue;
    try {
      mkdirSync(slotFolder(slot));
    } catch (error) {
      if (hasCode(error, "EEXIST")) continue;
      throw error;
    }
    writeOwner(slot, claimantOf(false));
    return slot;
  }
  throw new Error(`all ${slotCount} slots for beds are in use: "npm run bed -- status" lists them`);
}
