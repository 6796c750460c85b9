import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Condition, ConditionType } from "../../api/conditions.ts";
import type { LinkSpec } from "../../api/link.ts";
import { readRecord } from "./recorded-state.ts";

const NOW_MS = 1_800_000_000_000;
const SPEC: LinkSpec = {
  credentialsSecretRef: { name: "west" },
  gateway: { identity: "spiffe://west/isthmus/gateway" },
  trustBundle: "",
  probe: { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 3, successThreshold: 2 },
  apiStalenessSeconds: 300,
  mirror: { nameTemplate: "{service}-{cluster}", createNamespaces: false },
};

function condition(type: ConditionType, status: "True" | "False", since: string): Condition {
  return { type, status, reason: "Recorded", message: "recorded", lastTransitionTime: since };
}

/** Open, with the API lost and the credentials bad since the same time. */
function openSince(since: string) {
  const conditions = [
    condition("CredentialsValid", "False", since),
    condition("ApiReachable", "False", since),
    condition("Ready", "True", "2027-01-01T00:00:00Z"),
  ];
  return readRecord({ conditions }, SPEC, NOW_MS);
}

describe("what a Link's status tells after a restart", () => {
  it("is nothing where nothing was recorded", () => {
    expect(readRecord({}, SPEC, NOW_MS)).toEqual({
      input: undefined,
      heardMs: undefined,
      unusableSinceMs: undefined,
    });
  });

  it("stands until the first probe may have ended, and a little longer for the API", () => {
    const { input } = readRecord(
      { conditions: [condition("Ready", "True", "2027-01-01T00:00:00Z")] },
      SPEC,
      NOW_MS,
    );
    expect(input).toMatchObject({
      open: true,
      gatewayUntilMs: NOW_MS + 2_500,
      apiUntilMs: NOW_MS + 10_000,
    });
  });

  it("goes on counting where the API was lost and the credentials were bad before", () => {
    const sinceMs = NOW_MS - 100_000;
    expect(openSince(new Date(sinceMs).toISOString())).toMatchObject({
      heardMs: sinceMs,
      unusableSinceMs: sinceMs,
    });
  });

  it.each([
    { what: "no date", since: "yesterday", heardMs: 0 },
    { what: "an empty text", since: "", heardMs: 0 },
    { what: "a time in the far future", since: "2999-01-01T00:00:00Z", heardMs: 0 },
    {
      what: "a time before 1970",
      since: "1969-12-31T00:00:00Z",
      heardMs: Date.parse("1969-12-31T00:00:00Z"),
    },
    {
      what: "the time of a replica whose clock is a little ahead",
      since: new Date(NOW_MS + 5_000).toISOString(),
      heardMs: NOW_MS,
    },
  ])("with $what keeps no link open for longer than the bound", ({ since, heardMs }) => {
    expect(openSince(since)).toMatchObject({ heardMs, unusableSinceMs: heardMs });
  });

  it("never puts anything into the future, whatever is written there", () => {
    const times = fc.oneof(
      fc.string(),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    );
    fc.assert(
      fc.property(times, (since) => {
        const { heardMs = Infinity, unusableSinceMs = Infinity } = openSince(since);
        expect(heardMs).toBeLessThanOrEqual(NOW_MS);
        expect(unusableSinceMs).toBeLessThanOrEqual(NOW_MS);
      }),
    );
  });

  it("says nothing of the API of a link that was closed", () => {
    const conditions = [condition("Ready", "False", "2027-01-01T00:00:00Z")];
    expect(readRecord({ conditions }, SPEC, NOW_MS).heardMs).toBeUndefined();
  });
});
