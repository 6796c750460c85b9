import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { SlotOwner } from "./slot.ts";

/**
 * Sees to it that a bed goes when the process that owns it ends before `down` was called, whatever ends it: a process
 * of its own waits for the end of a pipe, which the kernel closes even after SIGKILL, and then sweeps the slot.
 * Returns a function that calls the guard off.
 */
export function guardExit(slot: number, owner: SlotOwner): () => void {
  const script = fileURLToPath(new URL("guard.ts", import.meta.url));
  const guard = spawn(process.execPath, [script, String(slot), JSON.stringify(owner)], {
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  guard.unref();
  // Without a guard the next start of any bed still cleans up.
  guard.on("error", () => {});
  guard.stdin.on("error", () => {});
  if ("unref" in guard.stdin && typeof guard.stdin.unref === "function") guard.stdin.unref();
  return () => guard.stdin.end("off");
}
