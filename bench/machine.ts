import { cpus, release, totalmem } from "node:os";

/** The machine and the moment, which every figure is quoted with. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly node: string;
}

/** This machine, now. */
export function describeMachine(nowMs: number): Machine {
  const all = cpus();
  return {
    date: new Date(nowMs).toISOString().slice(0, 10),
    cpu: all[0]?.model ?? "unknown",
    cores: all.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}
