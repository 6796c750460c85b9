import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const sweepScript = join(import.meta.dirname, "sweep-slot.ts");

function exitOn(signal: (typeof signals)[number]): void {
  // Whoever else listens decides when to exit; the exit handler comes after that.
  if (process.listeners(signal).some((listener) => listener !== exitOn)) return;
  process.exit(128 + constants.signals[signal]);
}

/**
 * Sees to it that a bed goes when this process ends before `down` was called, whatever ends it short of SIGKILL.
 * (After SIGKILL the next start of any bed cleans up.) Returns a function that calls the guard off.
 */
export function guardExit(slot: number): () => void {
  // An exit handler cannot wait for promises, but for another process it can.
  const sweep = () => void spawnSync(process.execPath, [sweepScript, String(slot)], { stdio: "inherit" });
  process.once("exit", sweep);
  for (const signal of signals) process.on(signal, exitOn);
  return () => {
    process.off("exit", sweep);
    for (const signal of signals) process.off(signal, exitOn);
  };
}
