import { describe, expect, test } from "vitest";
import type { GatewayReport } from "../../../probe/report.ts";
import { judgeGateways } from "./gateways.ts";

const ALL = [64, 1200, 1300, 1400, 1450, 1500, 16_384];

function report(changes: Partial<GatewayReport> = {}): GatewayReport {
  return {
    link: "west",
    address: "10.0.0.1",
    port: 15_008,
    stage: "done",
    rttMs: 1.25,
    aheadMs: 100,
    up: { passedBytes: ALL },
    down: { passedBytes: ALL },
    ...changes,
  };
}

function unreached(stage: GatewayReport["stage"], timedOut: boolean): GatewayReport {
  const failure = { reason: "GatewayUnreachable", message: "no answer in time", timedOut };
  return { link: "west", address: "10.0.0.2", port: 15_008, stage, failure };
}

function results(...reports: GatewayReport[]): string[] {
  return judgeGateways("west", { value: reports }).map(({ id, result }) => `${id} ${result}`);
}

function messageOf(id: string, ...reports: GatewayReport[]): string {
  const findings = judgeGateways("west", { value: reports });
  return findings.find((finding) => finding.id === id && finding.result !== "ok")?.message ?? "";
}

describe("the gateway of a Link, as a pod here sees it", () => {
  test("is reached, lets every size through and has our time", () => {
    expect(results(report())).toEqual(["gateway-reachable ok", "path-mtu ok", "clock-skew ok"]);
  });

  test("swallows large packets: small payloads pass, and those of one size do not, one way", () => {
    const down = { passedBytes: [64, 1200, 1300], stuckAtBytes: 1400 };
    expect(results(report({ down }))).toEqual([
      "gateway-reachable ok",
      "path-mtu fail",
      "clock-skew ok",
    ]);
    expect(messageOf("path-mtu", report({ down }))).toBe(
      "from the gateway payloads of 1300 bytes pass, those of 1400 do not: packets of about 1483 bytes are swallowed",
    );
  });

  test("is dead, which is no matter of size: nothing at all connects", () => {
    expect(results(unreached("connect", true))).toEqual([
      "gateway-reachable fail",
      "path-mtu skip",
    ]);
    expect(messageOf("gateway-reachable", unreached("connect", true))).toBe(
      "10.0.0.2:15008 does not take a TCP connection: no answer in time",
    );
  });

  test("went dead meanwhile: even what is small is stuck", () => {
    const up = { passedBytes: [], stuckAtBytes: 64 };
    expect(messageOf("path-mtu", report({ up }))).toContain("at no size in particular");
  });

  test("swallows packets of the handshake already: a refusal arrives, the certificates do not", () => {
    const silent = unreached("handshake", true);
    expect(results({ ...silent, refuses: true })).toContain("path-mtu fail");
    expect(results({ ...silent, refuses: false })).toContain("path-mtu skip");
    expect(results(silent)).toContain("gateway-reachable fail");
  });

  test("swallows the packets of a handshake as gateways make it, and lets smaller ones through", () => {
    const silent = { ...unreached("handshake", true), smallHandshake: true };
    const all = { passedBytes: ALL };
    expect(results({ ...silent, up: all, down: all })).toContain("path-mtu fail");
    const stuck = { passedBytes: [64, 1200], stuckAtBytes: 1300 };
    const message = messageOf("path-mtu", { ...silent, up: stuck, down: all });
    expect(message).toContain("to the gateway payloads of 1200 bytes pass, those of 1300 do not");
  });

  test("is reached at some of its addresses only", () => {
    expect(results(report(), unreached("connect", true))[0]).toBe("gateway-reachable warn");
  });

  test("is of a version without path tests", () => {
    const up = {
      passedBytes: [],
      untested: "the gateway there is of a version without path tests",
    };
    expect(results(report({ up, down: up }))).toContain("path-mtu skip");
  });

  test("has a clock of its own", () => {
    expect(results(report({ aheadMs: 700_000 }))).toContain("clock-skew fail");
  });

  test("has no address", () => {
    expect(results()).toEqual(["gateway-reachable fail"]);
  });

  test("is not known where no pod could be started: each check is skipped with the reason", () => {
    const findings = judgeGateways("west", { unknown: "Pod x: ImagePullBackOff" });
    expect(findings.map(({ result, message }) => `${result} ${message}`)).toEqual(
      Array.from({ length: 3 }, () => "skip Pod x: ImagePullBackOff"),
    );
  });
});
