import { type LinkSpec, type LinkStatus, parseLinkSpec } from "../../../api/link.ts";
import { REASONS } from "../../../api/reasons.ts";
import { NO_PROBES, type ProbeHistory, recordProbe } from "../gateway-probe/probe-history.ts";
import { planStatus } from "../link-status/link-status.ts";
import { readRecord, type RecordedState } from "../recorded-state.ts";
import type { ApiFailure } from "../remote-session/api-failure.ts";
import {
  judgeSession,
  type SessionObservation,
  standingDenial,
  type TimedFailure,
} from "../remote-session/api-observation.ts";
import { assessHealth, isOpen, nextDeadlineMs } from "./health.ts";
import type { HealthInputs, LastingProblem, Problem } from "./health-inputs.ts";
import { NO_OPENINGS, type Openings, recordOpening } from "./reopening.ts";

/** What may happen to a link. */
export type LifeEvent =
  | { readonly type: "pass"; readonly ms: number }
  | { readonly type: "probe"; readonly address: number; readonly ok: boolean }
  | { readonly type: "bytes" | "cut"; readonly watch: number }
  | { readonly type: "heartbeat"; readonly answer: "ok" | "lost" | "denied" }
  | { readonly type: "secret" | "trust" | "leading"; readonly good: boolean }
  | { readonly type: "revoke" | "join" | "restart" };

export const ADDRESSES = 2;
export const WATCHES = 2;
export const LIFE_SPEC: LinkSpec = parseLinkSpec({
  metadata: { name: "west" },
  spec: {
    credentialsSecretRef: { name: "west" },
    gateway: { identity: "spiffe://west/isthmus/gateway" },
    trustBundle: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
    apiStalenessSeconds: 30,
  },
});
const STALENESS_MS = LIFE_SPEC.apiStalenessSeconds * 1000;

const NOTHING_SEEN: SessionObservation = {
  staleAfterMs: STALENESS_MS / 2 + 2_000,
  refused: undefined,
  answeredAtMs: undefined,
  heartbeatFailure: undefined,
  denial: undefined,
  watches: Array.from({ length: WATCHES }, () => ({
    synced: false,
    lastByteAtMs: undefined,
    failure: undefined,
  })),
};

const LOST: ApiFailure = { kind: "lost", reason: REASONS.ServerUnreachable, message: "lost" };
const DENIED: ApiFailure = { kind: "denied", reason: REASONS.CredentialsRejected, message: "401" };
const BROKEN: Problem = { reason: REASONS.TrustBundleExpired, message: "expired" };

/** A link's life as its controller leads it, out of the pure parts and a clock that only `pass` moves. */
export class LinkLife {
  nowMs: number;
  startedAtMs: number;
  open = false;
  leading = true;
  /** When it opened, epoch ms. */
  readonly openings: number[] = [];
  #status: LinkStatus = {};
  #recorded: RecordedState;
  #histories: ProbeHistory[] = Array.from({ length: ADDRESSES }, () => NO_PROBES);
  #session = NOTHING_SEEN;
  #unusable: LastingProblem | undefined;
  #trusted = true;
  #opened: Openings = NO_OPENINGS;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
    this.startedAtMs = nowMs;
    this.#recorded = readRecord(this.#status, LIFE_SPEC, nowMs);
    this.#assess();
  }

  apply(event: LifeEvent): void {
    if (event.type === "pass") this.#pass(this.nowMs + event.ms);
    else {
      this.#take(event);
      this.#assess();
    }
  }

  /** As the work queue does it: what falls due on the way is looked at then. */
  #pass(untilMs: number): void {
    for (;;) {
      const dueMs = nextDeadlineMs(this.#inputs());
      if (dueMs === undefined || dueMs > untilMs) break;
      this.nowMs = dueMs;
      this.#assess();
    }
    this.nowMs = untilMs;
    this.#assess();
  }

  #take(event: Exclude<LifeEvent, { type: "pass" }>): void {
    const { nowMs } = this;
    switch (event.type) {
      case "probe": {
        const failure = { reason: REASONS.GatewayUnreachable, message: "refused" };
        const result = event.ok ? { ok: true as const, rttMs: 1 } : { ok: false as const, failure };
        this.#histories = this.#histories.map((history, index) =>
          index === event.address ? recordProbe(history, result, LIFE_SPEC.probe, nowMs) : history,
        );
        return;
      }
      case "bytes":
        this.#watch(event.watch, { synced: true, lastByteAtMs: nowMs, failure: undefined });
        return;
      case "cut":
        this.#watch(event.watch, { failure: { ...LOST, sinceMs: nowMs } });
        return;
      case "heartbeat":
        this.#beat(event.answer);
        return;
      case "secret":
        this.#unusable = event.good
          ? undefined
          : (this.#unusable ?? {
              reason: REASONS.SecretNotFound,
              message: "no Secret",
              sinceMs: nowMs,
            });
        return;
      case "trust":
        this.#trusted = event.good;
        return;
      case "leading":
        this.leading = event.good;
        return;
      case "revoke":
        this.#session = {
          ...this.#session,
          refused: { reason: REASONS.CredentialsRevoked, message: "deleted" },
        };
        return;
      case "join":
        this.#session = NOTHING_SEEN;
        return;
      case "restart":
        this.#restart();
    }
  }

  #watch(index: number, change: Partial<SessionObservation["watches"][number]>): void {
    const watches = this.#session.watches.map((watch, at) =>
      at === index ? { ...watch, ...change } : watch,
    );
    this.#session = { ...this.#session, watches };
  }

  #beat(answer: "ok" | "lost" | "denied"): void {
    const before = this.#session.heartbeatFailure;
    const kind = answer === "denied" ? DENIED : LOST;
    const goesOn = before?.kind === kind.kind;
    const failed: TimedFailure = { ...kind, sinceMs: goesOn ? before.sinceMs : this.nowMs };
    const heartbeatFailure = answer === "ok" ? undefined : failed;
    this.#session = {
      ...this.#session,
      ...(answer === "ok" && { answeredAtMs: this.nowMs }),
      heartbeatFailure,
      denial: standingDenial(this.#session.denial, heartbeatFailure, this.nowMs),
    };
  }

  #restart(): void {
    this.startedAtMs = this.nowMs;
    this.#recorded = readRecord(this.#status, LIFE_SPEC, this.nowMs);
    this.#histories = this.#histories.map(() => NO_PROBES);
    // Revoked credentials stay so: their account is gone.
    this.#session = { ...NOTHING_SEEN, refused: this.#session.refused };
    const { unusableSinceMs } = this.#recorded;
    if (this.#unusable !== undefined) {
      this.#unusable = { ...this.#unusable, sinceMs: unusableSinceMs ?? this.nowMs };
    }
    this.#opened = NO_OPENINGS;
    this.open = false;
  }

  #inputs(): HealthInputs {
    const { nowMs, leading } = this;
    const verdict = judgeSession(this.#session, nowMs);
    return {
      nowMs,
      leading,
      apiStalenessMs: STALENESS_MS,
      credentials: {
        refused: verdict.refused,
        unusable: this.#unusable,
        denial: verdict.denial,
        verified: verdict.verified,
      },
      api: {
        synced: verdict.synced,
        lastHeardMs: verdict.lastHeardMs ?? this.#recorded.heardMs,
        failure: verdict.failure,
      },
      trust: { problem: this.#trusted ? undefined : BROKEN },
      gateway: {
        target: { kind: "resolved", addresses: ["a", "b"], port: 15008 },
        addresses: this.#histories.map((history, index) => ({ address: `${index}`, history })),
      },
      recorded: this.#recorded.input,
      openings: this.#opened,
    };
  }

  #assess(): void {
    const inputs = this.#inputs();
    const verdicts = assessHealth(inputs);
    const open = isOpen(verdicts);
    if (open && !this.open) this.openings.push(this.nowMs);
    this.open = open;
    if (!this.leading) return;
    this.#opened = recordOpening(this.#opened, open, this.nowMs);
    this.#status = planStatus(this.#status, {
      verdicts,
      target: undefined,
      tally: undefined,
      lastHeardMs: undefined,
      observedGeneration: 1,
      nowMs: this.nowMs,
    }).status;
  }
}
