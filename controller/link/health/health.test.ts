import { describe, expect, it } from "vitest";
import { CONDITION_TYPES, type ConditionType } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import { NO_PROBES } from "../gateway-probe/probe-history.ts";
import { assessHealth, nextDeadlineMs, refuseLink } from "./health.ts";
import type { HealthInputs } from "./health-inputs.ts";
import { NO_OPENINGS } from "./reopening.ts";
import {
  conditionOf,
  down,
  HEALTHY,
  MISSING,
  NOW_MS,
  probed,
  RECORDED_OPEN,
  REFUSED,
  REJECTED,
  STALENESS_MS,
  UNHEARD,
  UP,
  withFailure,
} from "./sample-inputs.ts";

describe("a link's health", () => {
  it("is Ready when everything is good, with each condition once and in order", () => {
    const verdicts = assessHealth(HEALTHY);
    expect(verdicts.map(({ type }) => type)).toEqual(CONDITION_TYPES);
    expect(verdicts.map(({ status }) => status)).toEqual(CONDITION_TYPES.map(() => "True"));
  });

  it.each<{ name: string; inputs: Partial<HealthInputs>; type: ConditionType; says: string }>([
    {
      name: "a missing Secret",
      inputs: { credentials: { verified: true, unusable: { ...MISSING, sinceMs: NOW_MS } } },
      type: "CredentialsValid",
      says: "False SecretNotFound",
    },
    {
      name: "rejected credentials",
      inputs: { credentials: { verified: false, denial: { ...REJECTED, sinceMs: NOW_MS } } },
      type: "CredentialsValid",
      says: "False CredentialsRejected",
    },
    {
      name: "credentials that were revoked, before anything else of them",
      inputs: {
        credentials: {
          verified: true,
          refused: { reason: REASONS.CredentialsRevoked, message: "deleted" },
          unusable: { ...MISSING, sinceMs: NOW_MS },
          denial: { ...REJECTED, sinceMs: NOW_MS },
        },
      },
      type: "CredentialsValid",
      says: "False CredentialsRevoked",
    },
    {
      name: "an address that answers again but not often enough yet",
      inputs: { gateway: probed({ ...withFailure("PeerRejected"), against: 1 }) },
      type: "GatewayHealthy",
      says: "False PeerRejected",
    },
    {
      name: "a replica that does not lead, before everything else",
      inputs: { leading: false, trust: { problem: { reason: REASONS.LeafInvalid, message: "x" } } },
      type: "Ready",
      says: "Unknown NotLeader",
    },
    {
      name: "a link that keeps falling",
      inputs: { openings: { ...NO_OPENINGS, quickFalls: 2, heldUntilMs: NOW_MS + 1 } },
      type: "Ready",
      says: "False Flapping",
    },
    {
      name: "what is really wrong with a link that keeps falling",
      inputs: {
        openings: { ...NO_OPENINGS, quickFalls: 2, heldUntilMs: NOW_MS + 1 },
        gateway: probed(down("refused")),
      },
      type: "Ready",
      says: "False GatewayUnreachable",
    },
    {
      name: "an API that was never reached",
      inputs: { api: { synced: false, lastHeardMs: undefined, failure: REFUSED } },
      type: "ApiReachable",
      says: "False ServerUnreachable",
    },
    {
      name: "an API that denies some of the namespaces it lists",
      inputs: { api: { synced: true, lastHeardMs: NOW_MS - 1000, deniedNamespaces: ["shop"] } },
      type: "ApiReachable",
      says: "True SomeNamespacesDenied",
    },
    {
      name: "an API lost a moment ago behind a healthy gateway",
      inputs: { api: { synced: true, lastHeardMs: NOW_MS - 1000, failure: REFUSED } },
      type: "ApiReachable",
      says: "False ApiLostTolerated",
    },
    {
      name: "an API lost for too long",
      inputs: { api: { synced: true, lastHeardMs: NOW_MS - STALENESS_MS, failure: REFUSED } },
      type: "ApiReachable",
      says: "False ApiLostTooLong",
    },
    {
      name: "an API and a gateway both lost",
      inputs: {
        api: { synced: true, lastHeardMs: NOW_MS - 1000, failure: REFUSED },
        gateway: probed(down("refused")),
      },
      type: "ApiReachable",
      says: "False ServerUnreachable",
    },
    {
      name: "a missing own certificate",
      inputs: { trust: { problem: { reason: REASONS.OwnCertificateMissing, message: "none" } } },
      type: "TrustValid",
      says: "False OwnCertificateMissing",
    },
    {
      name: "a gateway of another identity",
      inputs: { gateway: probed(withFailure("IdentityMismatch")) },
      type: "TrustValid",
      says: "False IdentityMismatch",
    },
    {
      name: "an impostor beside a gateway that answers",
      inputs: { gateway: probed(withFailure("IdentityMismatch"), UP) },
      type: "TrustValid",
      says: "True TrustBundleValid",
    },
    {
      name: "one bad address of three",
      inputs: { gateway: probed(UP, down("refused"), UP) },
      type: "GatewayHealthy",
      says: "True SomeAddressesFailing",
    },
    {
      name: "no address that answers",
      inputs: { gateway: probed(down("refused"), down("refused")) },
      type: "GatewayHealthy",
      says: "False GatewayUnreachable",
    },
    {
      name: "a gateway nobody has probed yet",
      inputs: { gateway: probed(NO_PROBES) },
      type: "GatewayHealthy",
      says: "Unknown ProbePending",
    },
    {
      name: "a provider without a gateway Service",
      inputs: {
        gateway: {
          target: { kind: "unresolved", reason: REASONS.GatewayMissing, message: "none" },
          addresses: [],
        },
      },
      type: "GatewayHealthy",
      says: "False GatewayMissing",
    },
  ])("names $name", ({ inputs, type, says }) => {
    expect(conditionOf({ ...HEALTHY, ...inputs }, type)).toBe(says);
  });

  it("says that an address answers again rather than what it failed with before", () => {
    const { address } = HEALTHY.gateway.addresses[0] ?? { address: "" };
    const messageOf = (against: number) =>
      assessHealth({
        ...HEALTHY,
        gateway: {
          ...HEALTHY.gateway,
          addresses: [{ address, history: { ...withFailure("PeerRejected"), against } }],
        },
      }).find(({ type }) => type === "GatewayHealthy")?.message;
    expect(messageOf(0)).toBe(`${address}: PeerRejected`);
    expect(messageOf(1)).toContain("answers again");
  });

  it("blames the API that was lost too long, not credentials that were good by the record", () => {
    const api = { synced: false, lastHeardMs: NOW_MS - STALENESS_MS, failure: REFUSED };
    const inputs = { ...UNHEARD, api, gateway: probed(UP), recorded: RECORDED_OPEN };
    expect(conditionOf(inputs, "Ready")).toBe("False ApiLostTooLong");
  });

  it("repeats what was recorded instead of turning Unknown for a moment after a restart", () => {
    const verdicts = assessHealth({
      ...UNHEARD,
      api: { synced: false, lastHeardMs: NOW_MS },
      recorded: RECORDED_OPEN,
    });
    expect(verdicts).toEqual(RECORDED_OPEN.verdicts);
  });

  it("forgets why its Link was refused before it was corrected", () => {
    const refused = refuseLink({ reason: REASONS.OwnClusterName, message: "its own name" });
    const inputs = { ...UNHEARD, recorded: { ...RECORDED_OPEN, open: false, verdicts: refused } };
    const reasons = new Set(assessHealth(inputs).map(({ reason }) => reason));
    expect(reasons).not.toContain(REASONS.OwnClusterName);
  });

  it("repeats why a closed link was closed until the first probe after a restart", () => {
    const verdicts = assessHealth({
      ...HEALTHY,
      gateway: probed(NO_PROBES),
      recorded: {
        ...RECORDED_OPEN,
        open: false,
        verdicts: RECORDED_OPEN.verdicts.map((verdict) =>
          verdict.type === "Ready" ? { ...verdict, status: "False", reason: "Recorded" } : verdict,
        ),
      },
    });
    expect(verdicts.at(-1)).toMatchObject({ status: "False", reason: "Recorded" });
  });

  it("is looked at again when certificates that are good now run out", () => {
    const untilMs = NOW_MS + 5_000;
    expect(nextDeadlineMs({ ...HEALTHY, trust: { validUntilMs: untilMs } })).toBe(untilMs);
  });

  it("closes a Link that is refused and claims nothing else of it", () => {
    const verdicts = refuseLink({ reason: REASONS.DuplicateClusterName, message: "other" });
    expect(verdicts.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 4 }, () => "Unknown"),
      "False",
    ]);
  });
});
