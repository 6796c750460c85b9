import type { Attempt } from "../../test/workload/caller.ts";
import { type FaultKind, type FaultName, TAKEOVER_MS } from "./fault-kinds.ts";
import type { FaultTarget } from "./plan.ts";
import { FAST_MS, isRefused } from "../refusal.ts";

/** A mirror that was called, by its index in the attempts' `target`. */
export interface CalledMirror {
  readonly provider: string;
  readonly service: string;
  /** Body of every right answer. */
  readonly answer: string;
}

/** A fault that has happened; times in milliseconds since the epoch. */
export interface PastFault extends FaultTarget {
  readonly id: number;
  readonly name: FaultName;
  readonly beganMs: number;
  readonly endedMs: number;
}

/** All that was recorded of a run's traffic. */
export interface TrafficHistory {
  readonly mirrors: readonly CalledMirror[];
  readonly attempts: readonly Attempt[];
  readonly faults: readonly PastFault[];
  readonly kindOf: (name: FaultName) => FaultKind;
}

/** An attempt that should not have ended as it did. */
export interface Violation {
  readonly rule: "wrongAnswer" | "notFast" | "unexplained";
  readonly attempt: Attempt;
  /** Faults that were active, or not recovered from, when it was begun. */
  readonly faults: readonly PastFault[];
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * What was wrong with a run's traffic. Pure. The rules:
 * - an answer is that of the mirror's own Service in its own cluster;
 * - a failure is a refusal, a reset or (where a fault of that Service may take the name away) an unknown name, within
 *   {@link FAST_MS}; except inside the detection bound after the begin of a fault that disturbs the mirror;
 * - there is no failure at all without such a fault, or after it was recovered from: links do not disturb each other.
 */
export function judgeTraffic(history: TrafficHistory): Violation[] {
  const perMirror = history.mirrors.map((mirror) => explain(mirror, history));
  return history.attempts.flatMap((attempt) => {
    const target = attempt.target ?? 0;
    const mirror = history.mirrors[target];
    const known = perMirror[target];
    if (mirror === undefined || known === undefined) throw new RangeError(`no mirror ${target}`);
    const rule = brokenRule(attempt, mirror, known, history);
    return rule === undefined ? [] : [{ rule, attempt, faults: activeAt(attempt, history) }];
  });
}

interface Explanation {
  /** Faults that may make requests to the mirror fail. */
  readonly faults: readonly PastFault[];
  /** When they may: up to the recovery, which any other fault of the same clusters puts off. */
  readonly spans: readonly Span[];
}

function explain(mirror: CalledMirror, { faults, kindOf }: TrafficHistory): Explanation {
  const disturbing = faults.filter((fault) => disturbs(fault, kindOf(fault.name), mirror));
  const near = faults.filter(
    ({ provider, service }) =>
      provider === undefined ||
      (provider === mirror.provider && (service === undefined || service === mirror.service)),
  );
  const spans = disturbing.map((fault) => {
    let span = spanOf(fault, kindOf(fault.name));
    for (let grew = true; grew;) {
      const toMs = Math.max(
        span.toMs,
        ...near
          .map((other) => spanOf(other, kindOf(other.name)))
          .filter((other) => other.fromMs <= span.toMs && other.toMs >= span.fromMs)
          .map((other) => other.toMs),
      );
      grew = toMs > span.toMs;
      span = { fromMs: span.fromMs, toMs };
    }
    return span;
  });
  return { faults: disturbing, spans };
}

function disturbs(fault: PastFault, kind: FaultKind, mirror: CalledMirror): boolean {
  if (kind.disturbs === "none" || kind.disturbs === "all") return kind.disturbs === "all";
  const isItsProvider = fault.provider === mirror.provider;
  return isItsProvider && (kind.disturbs === "provider" || fault.service === mirror.service);
}

function spanOf({ beganMs, endedMs }: PastFault, { recoveryMs }: FaultKind): Span {
  return { fromMs: beganMs, toMs: endedMs + recoveryMs };
}

function brokenRule(
  attempt: Attempt,
  mirror: CalledMirror,
  { faults, spans }: Explanation,
  { kindOf, faults: all }: TrafficHistory,
): Violation["rule"] | undefined {
  if (attempt.status !== undefined) {
    const isRight = attempt.status === 200 && attempt.body?.trim() === mirror.answer;
    return isRight ? undefined : "wrongAnswer";
  }
  const endMs = attempt.atMs + attempt.tookMs;
  if (!spans.some(({ fromMs, toMs }) => endMs >= fromMs && attempt.atMs <= toMs))
    return "unexplained";
  if (isFast(attempt, nameMayBeGone(attempt, endMs, faults, kindOf))) return undefined;
  const isDetecting = faults.some((fault) =>
    isWithinDetection(
      attempt,
      endMs,
      fault,
      kindOf(fault.name),
      mendableFromMs(fault, all, kindOf),
    ),
  );
  return isDetecting ? undefined : "notFast";
}

function isFast(attempt: Attempt, unknownName: boolean): boolean {
  const isUnknown = attempt.code === "ENOTFOUND" && unknownName;
  return (isRefused(attempt) || isUnknown) && attempt.tookMs <= FAST_MS;
}

/** Whether a fault of the Service itself, whose mirror may go for it, is active or not recovered from. */
function nameMayBeGone(
  { atMs }: Attempt,
  endMs: number,
  faults: readonly PastFault[],
  kindOf: TrafficHistory["kindOf"],
): boolean {
  return faults.some((fault) => {
    const kind = kindOf(fault.name);
    const { fromMs, toMs } = spanOf(fault, kind);
    return kind.disturbs === "service" && endMs >= fromMs && atMs <= toMs;
  });
}

function isWithinDetection(
  { atMs, tookMs }: Attempt,
  endMs: number,
  { beganMs, endedMs }: PastFault,
  { detectionMs, lasting }: FaultKind,
  mendableMs: number,
): boolean {
  if (detectionMs === 0 || endMs < beganMs) return false;
  if (lasting) return atMs <= endedMs + detectionMs && tookMs <= detectionMs + FAST_MS;
  return atMs <= mendableMs + detectionMs && endMs <= mendableMs + detectionMs + FAST_MS;
}

/** From when on a fault can be noticed: its begin, or when a controller leads again that has to mend it. */
function mendableFromMs(
  fault: PastFault,
  faults: readonly PastFault[],
  kindOf: TrafficHistory["kindOf"],
): number {
  const { mendedByLeader, detectionMs } = kindOf(fault.name);
  if (!mendedByLeader) return fault.beganMs;
  const takeovers = faults
    .filter(
      ({ name, beganMs }) => kindOf(name).leaderless && beganMs <= fault.beganMs + detectionMs,
    )
    .map(({ beganMs }) => beganMs + TAKEOVER_MS);
  return Math.max(fault.beganMs, ...takeovers);
}

function activeAt({ atMs, tookMs }: Attempt, { faults, kindOf }: TrafficHistory): PastFault[] {
  return faults.filter((fault) => {
    const { fromMs, toMs } = spanOf(fault, kindOf(fault.name));
    return atMs + tookMs >= fromMs && atMs <= toMs;
  });
}
