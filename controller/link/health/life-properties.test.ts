import * as fc from "fast-check";
import { expect, it } from "vitest";
import { DENIAL_GRACE_MS } from "./health.ts";
import { ADDRESSES, type LifeEvent, LIFE_SPEC, LinkLife, WATCHES } from "./life-model.ts";

const START_MS = 1_800_000_000_000;
const STALENESS_MS = LIFE_SPEC.apiStalenessSeconds * 1000;
/** The first probe of a process: its timeout, and what it takes to get under way. */
const FIRST_PROBE_MS = LIFE_SPEC.probe.timeoutSeconds * 1000 + 1_500;
const RUNS = { numRuns: 1500 };

const probe = (ok: boolean) =>
  fc.nat({ max: ADDRESSES - 1 }).map((address) => ({ type: "probe" as const, address, ok }));
const watched = (type: "bytes" | "cut") =>
  fc.nat({ max: WATCHES - 1 }).map((watch) => ({ type, watch }));
const heartbeat = (answer: "ok" | "lost" | "denied") =>
  fc.constant({ type: "heartbeat" as const, answer });
const turned = (type: "secret" | "trust" | "leading") =>
  fc.boolean().map((good) => ({ type, good }));

/** Good news often enough for links to open. */
const ANY_EVENT: fc.Arbitrary<LifeEvent> = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 3_000 }).map((ms) => ({ type: "pass" as const, ms })) },
  { weight: 1, arbitrary: fc.nat({ max: 40_000 }).map((ms) => ({ type: "pass" as const, ms })) },
  { weight: 6, arbitrary: probe(true) },
  { weight: 3, arbitrary: probe(false) },
  { weight: 6, arbitrary: watched("bytes") },
  { weight: 1, arbitrary: watched("cut") },
  { weight: 5, arbitrary: heartbeat("ok") },
  { weight: 1, arbitrary: heartbeat("lost") },
  { weight: 1, arbitrary: heartbeat("denied") },
  { weight: 1, arbitrary: turned("secret") },
  { weight: 1, arbitrary: turned("trust") },
  { weight: 1, arbitrary: turned("leading") },
  { weight: 1, arbitrary: fc.constantFrom({ type: "revoke" as const }, { type: "join" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "restart" as const }) },
);

/** Everything turns good and stays so for long enough. */
const ALL_GOOD: LifeEvent[] = [
  ...(["secret", "trust", "leading"] as const).map((type) => ({ type, good: true })),
  { type: "join" },
  ...Array.from({ length: 40 }, () => goodSecond()).flat(),
];

function goodSecond(): LifeEvent[] {
  return [
    { type: "heartbeat", answer: "ok" },
    ...Array.from({ length: WATCHES }, (_, watch): LifeEvent => ({ type: "bytes", watch })),
    ...Array.from({ length: ADDRESSES }, (_, address): LifeEvent => ({
      type: "probe",
      address,
      ok: true,
    })),
    { type: "pass", ms: 1_000 },
  ];
}

function within(sinceMs: number | undefined, boundMs: number, nowMs: number): boolean {
  return sinceMs !== undefined && nowMs - sinceMs < boundMs;
}

/** What was heard, kept apart from how the link keeps it: the bounds of the promise. */
class Witness {
  readonly #bytesAtMs: (number | undefined)[] = Array.from({ length: WATCHES }, () => undefined);
  /** By address: failed probes since the last good one; undefined before any. */
  readonly #failed: (number | undefined)[] = Array.from({ length: ADDRESSES }, () => undefined);
  #startedAtMs: number;
  #answered = false;
  #deniedSinceMs: number | undefined;
  #denied = false;
  #badSecretSinceMs: number | undefined;
  #revoked = false;
  #trusted = true;
  #leading = true;
  #openAtStart = false;
  /** What the status says: a replica that does not lead writes none, so that what was so last stays. */
  #recordedOpen = false;

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  see(event: LifeEvent, nowMs: number, wasOpen: boolean): void {
    if (this.#leading) this.#recordedOpen = wasOpen;
    if (event.type === "probe") {
      const before = this.#failed[event.address];
      this.#failed[event.address] = event.ok ? 0 : (before ?? LIFE_SPEC.probe.failureThreshold) + 1;
    }
    if (event.type === "bytes") this.#bytesAtMs[event.watch] = nowMs;
    if (event.type === "heartbeat") {
      this.#answered ||= event.answer === "ok";
      // Once it was said for the grace time, only an answer takes it back.
      const goesOn = event.answer === "denied" || (event.answer === "lost" && this.#denied);
      this.#deniedSinceMs = goesOn ? (this.#deniedSinceMs ?? nowMs) : undefined;
      this.#denied = goesOn && !within(this.#deniedSinceMs, DENIAL_GRACE_MS, nowMs);
    }
    if (event.type === "secret") {
      this.#badSecretSinceMs = event.good ? undefined : (this.#badSecretSinceMs ?? nowMs);
    }
    if (event.type === "trust") this.#trusted = event.good;
    if (event.type === "leading") this.#leading = event.good;
    if (event.type === "revoke") this.#revoked = true;
    if (event.type === "join") this.#revoked = false;
    if (event.type === "join" || event.type === "restart") {
      this.#answered = false;
      this.#denied = false;
      this.#deniedSinceMs = undefined;
      this.#bytesAtMs.fill(undefined);
    }
    if (event.type === "restart") {
      this.#startedAtMs = nowMs;
      this.#openAtStart = this.#recordedOpen;
      this.#failed.fill(undefined);
      if (this.#badSecretSinceMs !== undefined) this.#badSecretSinceMs = nowMs;
    }
  }

  mayBeOpen(nowMs: number): boolean {
    const answers = this.#failed.some(
      (failed) => failed !== undefined && failed < LIFE_SPEC.probe.failureThreshold,
    );
    const held =
      this.#openAtStart &&
      within(this.#startedAtMs, FIRST_PROBE_MS, nowMs) &&
      this.#failed.includes(undefined);
    const listed = this.#answered && !this.#bytesAtMs.includes(undefined);
    const heard = this.#bytesAtMs.every((atMs) => within(atMs, STALENESS_MS, nowMs));
    return (
      this.#leading &&
      this.#trusted &&
      !this.#revoked &&
      (answers || held) &&
      (listed
        ? heard
        : this.#openAtStart && (heard || within(this.#startedAtMs, STALENESS_MS, nowMs))) &&
      (this.#deniedSinceMs === undefined || within(this.#deniedSinceMs, DENIAL_GRACE_MS, nowMs)) &&
      (this.#badSecretSinceMs === undefined || within(this.#badSecretSinceMs, STALENESS_MS, nowMs))
    );
  }
}

/** Single events, and seconds in which all is good, so that links open. */
const ANY_LIFE = fc
  .array(
    fc.oneof(
      {
        weight: 12,
        arbitrary: ANY_EVENT.map((event) => [event]),
      },
      { weight: 1, arbitrary: fc.constant(goodSecond()) },
    ),
    { minLength: 1, maxLength: 120 },
  )
  .map((parts) => parts.flat());

it("in no life of a link is it open while anything is bad, or unknown beyond its bound", () => {
  let opened = 0;
  fc.assert(
    fc.property(ANY_LIFE, (events) => {
      const life = new LinkLife(START_MS);
      const witness = new Witness(START_MS);
      for (const event of events) {
        const wasOpen = life.open;
        life.apply(event);
        witness.see(event, life.nowMs, wasOpen);
        expect(life.open && !witness.mayBeOpen(life.nowMs)).toBe(false);
      }
      opened += life.openings.length;
    }),
    RUNS,
  );
  expect(opened).toBeGreaterThan(RUNS.numRuns / 10);
});

it("in every life a link opens again once everything has been good for 40 s", () => {
  fc.assert(
    fc.property(ANY_LIFE, (events) => {
      const life = new LinkLife(START_MS);
      for (const event of [...events, ...ALL_GOOD]) life.apply(event);
      expect(life.open).toBe(true);
    }),
    { numRuns: 200 },
  );
});

it("in no life without a restart does a link open more than twelve times in a minute", () => {
  const flapping = fc.constantFrom<LifeEvent>(
    { type: "trust", good: true },
    { type: "trust", good: false },
    { type: "heartbeat", answer: "denied" },
    { type: "heartbeat", answer: "ok" },
    { type: "pass", ms: 2_000 },
    { type: "pass", ms: 10_000 },
  );
  const lives = fc.array(fc.tuple(flapping, fc.constant(goodSecond())), { maxLength: 80 });
  fc.assert(
    fc.property(lives, (steps) => {
      const life = new LinkLife(START_MS);
      for (const event of steps.flatMap(([bad, good]) => [...good, bad])) life.apply(event);
      const busiest = life.openings.map(
        (fromMs) => life.openings.filter((atMs) => atMs >= fromMs && atMs < fromMs + 60_000).length,
      );
      expect(Math.max(0, ...busiest)).toBeLessThanOrEqual(12);
    }),
    { numRuns: 500 },
  );
});
