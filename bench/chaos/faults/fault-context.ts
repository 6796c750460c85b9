import type { Member, System } from "../../../test/system/system.ts";
import type { PlannedFault } from "../plan.ts";
import type { PodBook } from "../pod-book.ts";

/** What faults act with. */
export interface FaultContext {
  readonly system: System;
  readonly consumer: Member;
  /** Where the exported Services and their mirrors are. */
  readonly namespace: string;
  readonly pods: PodBook;
  /** Told of something that Isthmus must not have done. */
  readonly report: (problem: string) => void;
  readonly signal: AbortSignal;
}

/** Takes a fault away and waits until what it broke by itself (pods, a server) is there again. */
export type EndFault = () => Promise<void>;

/** Begins a fault; it has begun when the promise resolves. */
export type BeginFault = (context: FaultContext, fault: PlannedFault) => Promise<EndFault>;

/** The end of a fault that is over at once. */
export async function alreadyOver(): Promise<void> {}

/** The cluster a fault of a provider acts on. */
export function providerOf({ system }: FaultContext, { provider }: PlannedFault): Member {
  return system.member(provider ?? "");
}

/** Name of the mirror that a fault of a Service acts on. */
export function mirrorOf({ provider, service }: PlannedFault): string {
  return `${service ?? ""}-${provider ?? ""}`;
}
