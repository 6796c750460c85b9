import { describe, expect, test } from "vitest";
import type { Condition } from "../../../../api/conditions.ts";
import type { Link } from "../../../../api/link.ts";
import type { Service } from "../../../../api/objects.ts";
import type { SkippedService } from "../../status/report.ts";
import {
  judgeConditions,
  judgeOutside,
  judgeEgressPorts,
  judgeSkipped,
  judgeToken,
} from "./links.ts";

const NOW_MS = Date.parse("2026-01-01T12:00:00Z");
const MINUTE_MS = 60_000;

function condition(type: Condition["type"], status: Condition["status"]): Condition {
  const lastTransitionTime = "2026-01-01T00:00:00Z";
  return { type, status, reason: `${type}Reason`, message: "words", lastTransitionTime };
}

function link(conditions: Condition[], skippedServices = 0): Link {
  return { metadata: { name: "west" }, status: { conditions, skippedServices } };
}

describe("a Link's conditions", () => {
  test("are all True", () => {
    expect(judgeConditions(link([condition("Ready", "True")]), "east").result).toBe("ok");
  });

  test("fail by the first that is not True, in the order in which they are decided", () => {
    const conditions = [condition("Ready", "False"), condition("ApiReachable", "Unknown")];
    const finding = judgeConditions(link(conditions), "east");
    expect(finding.result).toBe("fail");
    expect(finding.message).toBe("ApiReachable is Unknown (ApiReachableReason): words");
  });

  test("fail where there are none yet", () => {
    expect(judgeConditions(link([]), "east").result).toBe("fail");
  });

  test("say nothing of a Link that is being deleted", () => {
    const deleted: Link = {
      metadata: { name: "west", deletionTimestamp: "2026-01-01T00:00:00Z" },
    };
    expect(judgeConditions(deleted, "east").result).toBe("warn");
  });
});

describe("the token of a Link", () => {
  test.each([
    [30 * MINUTE_MS, "ok"],
    [10 * MINUTE_MS, "ok"],
    [8 * MINUTE_MS, "warn"],
    [0, "fail"],
    [-MINUTE_MS, "fail"],
  ])("of an hour, with %i ms left: %s", (leftMs, result) => {
    const expiresAtMs = NOW_MS + leftMs;
    const issuedAtMs = expiresAtMs - 60 * MINUTE_MS;
    const token = { namespace: "x", serviceAccount: "y", issuedAtMs, expiresAtMs };
    expect(judgeToken("west", { value: { secret: "s", token } }, NOW_MS).result).toBe(result);
  });

  test("may be none that expires, or not known", () => {
    const none = { value: { secret: "s", token: undefined } };
    expect(judgeToken("west", none, NOW_MS).result).toBe("ok");
    expect(judgeToken("west", { unknown: "forbidden" }, NOW_MS).result).toBe("skip");
  });
});

function skipped(reason: string): SkippedService {
  const source = "west/shop/web";
  return { link: "west", source, reason, message: "words", lastSeenAt: "" };
}
function results(count: number, ...services: SkippedService[]): string[] {
  const findings = judgeSkipped([link([], count)], { value: services });
  return findings.map(({ id, result }) => `${id} ${result}`);
}

describe("Services without a mirror", () => {
  test("are none", () => {
    expect(results(0)).toEqual(["name-collisions ok", "services-skipped ok"]);
  });

  test("are told apart: of a name that is taken, and for any other reason", () => {
    expect(results(1, skipped("NameTaken"))).toEqual([
      "name-collisions warn",
      "services-skipped ok",
    ]);
    expect(results(1, skipped("NamespaceMissing"))).toEqual([
      "name-collisions ok",
      "services-skipped warn",
    ]);
  });

  test("are counted by the Link where their Events are gone", () => {
    expect(results(2)).toEqual(["name-collisions ok", "services-skipped warn"]);
  });
});

function mirrors(count: number): Service[] {
  const ports = Array.from({ length: count }, (_none, index) => {
    return { port: 80, targetPort: 10_000 + index };
  });
  return [{ metadata: { name: "web-west" }, spec: { ports } }];
}

describe("mirrors outside of the namespaces that may be used", () => {
  const left = {
    value: ["shop", "old"].map((namespace) => ({ metadata: { name: "web-west", namespace } })),
  };

  test("are named", () => {
    const [finding] = judgeOutside(left, ["shop"]);
    expect(finding?.message).toBe("outside of shop: old/web-west");
    expect(finding?.result).toBe("warn");
  });

  test("are none where all may be used, or all that have mirrors", () => {
    expect(judgeOutside(left, [])).toEqual([]);
    expect(judgeOutside(left, ["shop", "old"])[0]?.result).toBe("ok");
  });
});

describe("egress ports", () => {
  test.each([
    [0, "ok: 0 of 19998 in use"],
    [15_998, "ok: 15998 of 19998 in use"],
    [15_999, "warn: 15999 of 19998 in use"],
    [19_998, "fail: 19998 of 19998 in use: no further Service gets a mirror"],
  ])("with %i in use", (count, expected) => {
    const { result, message } = judgeEgressPorts({ value: mirrors(count) });
    expect(`${result}: ${message}`).toBe(expected);
  });
});
