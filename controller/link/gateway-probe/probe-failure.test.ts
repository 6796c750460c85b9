import { describe, expect, it } from "vitest";
import { PeerIdentityError } from "../../../pki/tls.ts";
import {
  classifyProbeFailure,
  ConnectionClosedError,
  type ProbeStage,
  ProbeStatusError,
  ProbeTimeoutError,
} from "./probe-failure.ts";

function coded(code: string): Error {
  return Object.assign(new Error("detail"), { code });
}

describe("a failed probe", () => {
  it.each<{ error: Error; stage: ProbeStage; reason: string }>([
    { error: coded("ECONNREFUSED"), stage: "connect", reason: "GatewayUnreachable" },
    { error: coded("ENOTFOUND"), stage: "connect", reason: "GatewayUnreachable" },
    { error: new ProbeTimeoutError("late"), stage: "handshake", reason: "GatewayUnreachable" },
    { error: new PeerIdentityError("other"), stage: "handshake", reason: "IdentityMismatch" },
    {
      error: coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
      stage: "handshake",
      reason: "GatewayNotTrusted",
    },
    { error: coded("CERT_HAS_EXPIRED"), stage: "handshake", reason: "GatewayNotTrusted" },
    { error: coded("ECONNRESET"), stage: "handshake", reason: "PeerRejected" },
    { error: coded("ECONNRESET"), stage: "firstAnswer", reason: "PeerRejected" },
    { error: new ConnectionClosedError("gone"), stage: "firstAnswer", reason: "PeerRejected" },
    {
      error: coded("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"),
      stage: "firstAnswer",
      reason: "PeerRejected",
    },
    { error: coded("ECONNRESET"), stage: "answer", reason: "GatewayUnreachable" },
    { error: new ProbeStatusError(503), stage: "answer", reason: "GatewayDraining" },
    { error: new ProbeStatusError(404), stage: "answer", reason: "GatewayUnreachable" },
  ])("by $error.message ($error.code) at $stage is $reason", ({ error, stage, reason }) => {
    expect(classifyProbeFailure(error, stage, { ownCluster: "east", nowMs: 0 }).reason).toBe(
      reason,
    );
  });

  const SHOWN = { notBeforeMs: Date.UTC(2026, 0, 1), notAfterMs: Date.UTC(2026, 0, 2) };

  it.each([
    {
      code: "CERT_HAS_EXPIRED",
      nowMs: Date.UTC(2026, 0, 3),
      reason: "GatewayCertificateExpired",
      says: "expired at 2026-01-02T00:00:00.000Z",
    },
    {
      code: "CERT_NOT_YET_VALID",
      nowMs: Date.UTC(2025, 11, 31),
      reason: "GatewayCertificateNotYetValid",
      says: "not valid before 2026-01-01T00:00:00.000Z",
    },
    {
      code: "CERT_HAS_EXPIRED",
      nowMs: Date.UTC(2026, 0, 1, 12),
      reason: "GatewayNotTrusted",
      says: "CERT_HAS_EXPIRED",
    },
  ])("by $code at $nowMs is $reason and says when", ({ code, nowMs, reason, says }) => {
    const context = { ownCluster: "east", shown: SHOWN, nowMs };
    const failure = classifyProbeFailure(coded(code), "handshake", context);
    expect(failure.reason).toBe(reason);
    expect(failure.message).toContain(says);
  });
});
