import { LEAF_LIFETIME_MS } from "../../pki/authority.ts";
import { renewAtMs } from "../../pki/certificate.ts";

/**
 * `announcing`: the next CA is made, and not yet in the published bundle.
 * `announced`: it is, the one before still signs. `switching`: it signs, and the
 * gateways' certificate is still to be issued by it. `switched`: that is done.
 */
export type RotationPhase = "idle" | "announcing" | "announced" | "switching" | "switched";

/** How far a rotation is, as recorded beside the CA. */
export interface RotationProgress {
  /** The request it answers; undefined when the CA's age asked for it. */
  readonly id: string | undefined;
  readonly phase: Exclude<RotationPhase, "idle">;
  /** How long the phase has been seen to last, in ms: while nobody leads, it does not count. */
  readonly waitedMs: number;
}

export interface RotationInputs {
  readonly phase: RotationPhase;
  readonly progress: RotationProgress | undefined;
  /** The validity of the CA that signs. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly nowMs: number;
  readonly requested: string | undefined;
  readonly finished: string | undefined;
  /** Whether the gateways' certificate is of the CA that signs. */
  readonly leafIssued: boolean;
  /** How long the phase has lasted beyond what is recorded, in ms, by a clock that nobody sets. */
  readonly unrecordedMs: number;
  /** How long others are given to take a bundle over, in ms. */
  readonly overlapMs: number;
  /** Links whose provider is not known to trust the next CA. */
  readonly linksLacking: readonly string[];
  /** Gateways not known to use the certificate of the new CA. */
  readonly gatewaysLacking: readonly string[];
}

/** The one thing to do next. */
export type RotationStep =
  | { readonly step: "rest" }
  | { readonly step: "announce"; readonly id: string | undefined; readonly why: string }
  | { readonly step: "record"; readonly phase: "announced" | "switched"; readonly waitedMs: number }
  | { readonly step: "switch"; readonly lacking: readonly string[] }
  | { readonly step: "retire"; readonly lacking: readonly string[] }
  | { readonly step: "wait"; readonly forMs: number; readonly lacking: readonly string[] };

/** Times the overlap that a provider which cannot be reached holds a rotation up at most. */
const MAX_HOLD_OVERLAPS = 24;
/** What of a wait is lost at most when the leader changes: a share of the overlap. */
const RECORDS_PER_OVERLAP = 4;
/** Of a wait beyond the overlap, so that a long one is not written down too often. */
const LATE_RECORD_MS = 15 * 60_000;
const UNISSUED_LOOK_MS = 5_000;

/**
 * Decides the next step of the rotation of this cluster's CA. Pure. No wall
 * clock takes part once it has begun: a step of the clock skips no phase.
 */
export function planRotation(inputs: RotationInputs): RotationStep {
  const { phase, leafIssued } = inputs;
  if (phase === "idle") return planStart(inputs);
  if (phase === "announcing") return { step: "record", phase: "announced", waitedMs: 0 };
  if (phase === "announced") return planSwitch(inputs);
  if (!leafIssued) return { step: "wait", forMs: UNISSUED_LOOK_MS, lacking: [] };
  if (phase === "switching") return { step: "record", phase: "switched", waitedMs: 0 };
  return planRetirement(inputs);
}

/** The phase, from what the Secret holds and what is recorded; what is recorded of another phase does not count. */
export function phaseOf(
  held: { next: boolean; previous: boolean },
  recorded: RotationProgress["phase"] | undefined,
): RotationPhase {
  if (held.previous) return recorded === "switched" ? "switched" : "switching";
  if (held.next) return recorded === "announced" ? "announced" : "announcing";
  return "idle";
}

/** How long the phase has lasted, in ms. */
export function waitedMsOf(inputs: Pick<RotationInputs, "progress" | "unrecordedMs">): number {
  return (inputs.progress?.waitedMs ?? 0) + inputs.unrecordedMs;
}

/**
 * What to record before a published bundle is put right that is not what it has
 * to be: others may have taken it over, so the wait begins anew. Undefined
 * where nothing rests on a wait. Recorded first, so that an interruption
 * between the two costs only time.
 */
export function restartOf(
  phase: RotationPhase,
  id: string | undefined,
): RotationProgress | undefined {
  if (phase === "announced") return { id, phase: "announcing", waitedMs: 0 };
  if (phase === "switched") return { id, phase: "switching", waitedMs: 0 };
  return undefined;
}

/** Measures how long a phase has lasted since it was first seen or last recorded, by a clock that nobody sets. */
export class PhaseTimer {
  #phase: string | undefined;
  #sinceMs = 0;

  /** The time in ms since this phase, as it is recorded, was first seen. */
  unrecordedMs({ phase, progress }: Pick<RotationInputs, "phase" | "progress">, nowMs: number) {
    const seen = JSON.stringify([phase, progress]);
    if (this.#phase !== seen) {
      this.#phase = seen;
      this.#sinceMs = nowMs;
    }
    return nowMs - this.#sinceMs;
  }

  /** Counts anew, also where the next record reads as the one before. */
  reset(): void {
    this.#phase = undefined;
  }
}

function planStart({ requested, finished, nowMs, ...inputs }: RotationInputs): RotationStep {
  if (requested !== undefined && requested !== finished) {
    return { step: "announce", id: requested, why: `it was asked for (${requested})` };
  }
  return nowMs >= renewAtMs(inputs)
    ? { step: "announce", id: undefined, why: "two thirds of its life are over" }
    : { step: "rest" };
}

function planSwitch(inputs: RotationInputs): RotationStep {
  const { overlapMs, linksLacking } = inputs;
  const holdMs = linksLacking.length === 0 ? overlapMs : overlapMs * MAX_HOLD_OVERLAPS;
  return waitedMsOf(inputs) >= holdMs
    ? { step: "switch", lacking: linksLacking }
    : waitOn(inputs, "announced", linksLacking);
}

function planRetirement(inputs: RotationInputs): RotationStep {
  const { overlapMs, gatewaysLacking } = inputs;
  const holdMs = gatewaysLacking.length === 0 ? overlapMs : Math.max(overlapMs, LEAF_LIFETIME_MS);
  return waitedMsOf(inputs) >= holdMs
    ? { step: "retire", lacking: gatewaysLacking }
    : waitOn(inputs, "switched", gatewaysLacking);
}

/** Waits on, and writes down from time to time how long it has been. */
function waitOn(
  inputs: RotationInputs,
  phase: "announced" | "switched",
  lacking: readonly string[],
): RotationStep {
  const { overlapMs, unrecordedMs } = inputs;
  const waitedMs = waitedMsOf(inputs);
  const late = waitedMs >= overlapMs;
  const shareMs = overlapMs / RECORDS_PER_OVERLAP;
  const recordMs = late ? Math.max(shareMs, LATE_RECORD_MS) : shareMs;
  if (unrecordedMs >= recordMs) return { step: "record", phase, waitedMs };
  const leftMs = late ? shareMs : Math.min(shareMs - unrecordedMs, overlapMs - waitedMs);
  return { step: "wait", forMs: leftMs, lacking: late ? lacking : [] };
}
