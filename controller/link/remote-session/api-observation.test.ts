import { describe, expect, it } from "vitest";
import { REASONS } from "../../../api/reasons.ts";
import {
  judgeSession,
  type StandingDenial,
  standingDenial,
  type SessionObservation,
  type TimedFailure,
  WATCH_INTERRUPTION_MS,
} from "./api-observation.ts";

const NOW_MS = 1_000_000;
const WATCH_STALE_MS = 77_000;
const WATCHING = { synced: true, lastByteAtMs: NOW_MS - 30_000, failure: undefined };
const LIVELY: SessionObservation = {
  staleAfterMs: WATCH_STALE_MS,
  refused: undefined,
  answeredAtMs: NOW_MS - 1000,
  heartbeatFailure: undefined,
  denial: undefined,
  watches: [WATCHING, WATCHING],
};

function lost(sinceMs: number): TimedFailure {
  return { kind: "lost", reason: REASONS.ServerUnreachable, message: "refused", sinceMs };
}

function denied(sinceMs: number): TimedFailure {
  return { kind: "denied", reason: REASONS.PermissionDenied, message: "no", sinceMs };
}

/** What stands of heartbeats a second apart. */
function heard(...failures: (TimedFailure | undefined)[]): StandingDenial | undefined {
  return failures.reduce<StandingDenial | undefined>(
    (before, failure, index) => standingDenial(before, failure, index * 1000),
    undefined,
  );
}

describe("a session with a provider's API", () => {
  it("is heard as of its last heartbeat while its watches run", () => {
    expect(judgeSession(LIVELY, NOW_MS)).toEqual({
      synced: true,
      verified: true,
      lastHeardMs: NOW_MS - 1000,
      refused: undefined,
      denial: undefined,
      failure: undefined,
    });
  });

  it("is lost as soon as a heartbeat fails", () => {
    const verdict = judgeSession({ ...LIVELY, heartbeatFailure: lost(NOW_MS) }, NOW_MS);
    expect(verdict.failure?.reason).toBe("ServerUnreachable");
    expect(verdict.lastHeardMs).toBe(NOW_MS - 1000);
  });

  it("bears a watch that is interrupted for a moment, and then is heard only as of that watch", () => {
    const broken = { ...WATCHING, failure: lost(NOW_MS) };
    const observation = { ...LIVELY, watches: [WATCHING, broken] };
    expect(judgeSession(observation, NOW_MS).failure).toBeUndefined();
    const laterMs = NOW_MS + WATCH_INTERRUPTION_MS;
    const later = judgeSession(observation, laterMs);
    expect(later.failure?.reason).toBe("ServerUnreachable");
    expect(later.lastHeardMs).toBe(WATCHING.lastByteAtMs);
  });

  it("says that a watch is stale when other requests are answered and it is not", () => {
    const broken = { ...WATCHING, failure: lost(NOW_MS) };
    const observation = { ...LIVELY, answeredAtMs: NOW_MS + 1, watches: [WATCHING, broken] };
    const verdict = judgeSession(observation, NOW_MS + WATCH_INTERRUPTION_MS);
    expect(verdict.failure?.reason).toBe("WatchStale");
    expect(verdict.lastHeardMs).toBe(WATCHING.lastByteAtMs);
  });

  it("does not count as listed before the provider has said who it is", () => {
    const verdict = judgeSession({ ...LIVELY, answeredAtMs: undefined }, NOW_MS);
    expect(verdict).toMatchObject({ synced: false, verified: false });
  });

  it("does not believe a watch that is silent for too long, though the API answers", () => {
    const silent = { ...WATCHING, lastByteAtMs: NOW_MS - WATCH_STALE_MS - 1 };
    const verdict = judgeSession({ ...LIVELY, watches: [WATCHING, silent] }, NOW_MS);
    expect(verdict.failure?.reason).toBe("WatchStale");
    expect(verdict.lastHeardMs).toBe(silent.lastByteAtMs);
  });

  it("names a failure at once while nothing was listed yet", () => {
    const watches = [{ synced: false, lastByteAtMs: undefined, failure: lost(NOW_MS) }, WATCHING];
    const verdict = judgeSession({ ...LIVELY, answeredAtMs: undefined, watches }, NOW_MS);
    expect(verdict).toMatchObject({ synced: false, verified: false, lastHeardMs: undefined });
    expect(verdict.failure?.reason).toBe("ServerUnreachable");
  });

  it("tells each denial once, since the first", () => {
    const watches = [
      { ...WATCHING, failure: denied(NOW_MS - 500) },
      { ...WATCHING, failure: denied(NOW_MS) },
    ];
    const { denial, failure } = judgeSession({ ...LIVELY, watches }, NOW_MS);
    expect(denial).toEqual({ reason: "PermissionDenied", message: "no", sinceMs: NOW_MS - 500 });
    expect(failure).toBeUndefined();
  });

  it("goes on being denied when its API is lost after having said no for long enough", () => {
    const no = denied(0);
    expect(heard(no, no, no, lost(3000))).toMatchObject({ sinceMs: 0, lastMs: 2000 });
    expect(heard(no, no, no, lost(3000), undefined)).toBeUndefined();
    expect(heard(no, no, lost(2000))).toBeUndefined();
    expect(heard(no, lost(1000), denied(2000))).toMatchObject({ sinceMs: 2000 });
    const verdict = judgeSession(
      { ...LIVELY, heartbeatFailure: lost(NOW_MS), denial: { ...no, lastMs: 2000 } },
      NOW_MS,
    );
    expect(verdict).toMatchObject({ verified: false, denial: { sinceMs: 0 } });
    expect(verdict.failure?.reason).toBe("ServerUnreachable");
  });
});
