import { beforeAll, describe, expect, test } from "vitest";
import type { Condition, ConditionStatus, ConditionType } from "../../api/conditions.ts";
import type { Link } from "../../api/link.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  LABELS,
  MANAGED_BY,
  gatewayIdentity,
} from "../../api/names.ts";
import type { Service, ServicePort } from "../../api/objects.ts";
import { createAuthority } from "../../pki/authority.ts";
import { planEgress } from "./plan.ts";

let bundlePem: string;

beforeAll(async () => {
  const ca = await createAuthority({ clusterName: "west", nowMs: Date.now() });
  bundlePem = ca.certificatePem;
});

function link(gateway: object = {}, status?: Link["status"]): Link {
  return {
    metadata: { name: "west" },
    spec: {
      credentialsSecretRef: { name: "isthmus-link-west" },
      gateway: { addresses: ["192.0.2.1"], identity: gatewayIdentity("west"), ...gateway },
      trustBundle: bundlePem,
    },
    ...(status === undefined ? {} : { status }),
  };
}

function mirror(name: string, ports: ServicePort[], created = "2026-01-01T00:00:00Z"): Service {
  return {
    metadata: {
      namespace: "shop",
      name: `${name}-west`,
      creationTimestamp: created,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "west" },
      annotations: {
        [ANNOTATIONS.source]: `west/shop/${name}`,
        [ANNOTATIONS.state]: "open",
      },
      managedFields: [{ manager: CONTROLLER_FIELD_MANAGER }],
    },
    spec: { ports },
  };
}

describe("a route", () => {
  test("leads from a mirror's target port to the Service and port it stands for", () => {
    const web = mirror("web", [
      { name: "http", port: 80, targetPort: 10_001 },
      { name: "admin", port: 81, targetPort: 10_002 },
    ]);
    expect(planEgress([link()], [web]).routes).toEqual(
      new Map([
        [
          10_001,
          {
            link: "west",
            authority: "web.shop.svc:80",
            source: { namespace: "shop", service: "web", port: 80 },
            mirror: "shop/web-west",
            open: true,
          },
        ],
        [
          10_002,
          {
            link: "west",
            authority: "web.shop.svc:81",
            source: { namespace: "shop", service: "web", port: 81 },
            mirror: "shop/web-west",
            open: true,
          },
        ],
      ]),
    );
  });

  test.each<[string, ServicePort]>([
    ["by name", { port: 80, targetPort: "web" }],
    ["below the range", { port: 80, targetPort: 9999 }],
    ["above the range", { port: 80, targetPort: 30_000 }],
    ["that is not there", { port: 80 }],
    ["of UDP", { port: 80, targetPort: 10_001, protocol: "UDP" }],
  ])("is not made from a target port %s", (_what, port) => {
    expect(planEgress([link()], [mirror("web", [port])]).routes.size).toBe(0);
  });

  test("of a port that two mirrors claim belongs to the older one", () => {
    const claim: ServicePort[] = [{ port: 80, targetPort: 10_001 }];
    const younger = mirror("a", claim, "2026-01-02T00:00:00Z");
    const older = mirror("z", claim, "2026-01-01T00:00:00Z");
    for (const mirrors of [
      [younger, older],
      [older, younger],
    ]) {
      const route = planEgress([link()], mirrors).routes.get(10_001);
      expect(route?.mirror).toBe("shop/z-west");
    }
  });
});

describe("a route is open", () => {
  test.each<[string | undefined, boolean]>([
    ["open", true],
    ["closed", false],
    ["Open", false],
    [undefined, false],
  ])("when its mirror is recorded as %s: %s", (state, open) => {
    const web = mirror("web", [{ port: 80, targetPort: 10_001 }]);
    const source = { [ANNOTATIONS.source]: "west/shop/web" };
    web.metadata.annotations =
      state === undefined ? source : { ...source, [ANNOTATIONS.state]: state };
    expect(planEgress([link()], [web]).routes.get(10_001)?.open).toBe(open);
  });
});

describe("a link is admitted", () => {
  test.each<[string, ConditionStatus | undefined, boolean]>([
    ["True", "True", true],
    ["False", "False", false],
    ["Unknown", "Unknown", false],
    ["not there", undefined, false],
  ])("when its condition Ready is %s: %s", (_what, status, admitted) => {
    const healthy = condition("GatewayHealthy", "True");
    const conditions = status === undefined ? [healthy] : [healthy, condition("Ready", status)];
    const admission = planEgress([link({}, { conditions })], []).links.get("west")?.admission;
    expect(admission?.admitted).toBe(admitted);
    expect(admission?.reason).toBe(status === undefined ? "NotReady" : `Ready${status}`);
  });

  test("never without a status", () => {
    const admission = planEgress([link()], []).links.get("west")?.admission;
    expect(admission).toMatchObject({ admitted: false, reason: "NotReady" });
  });
});

function condition(type: ConditionType, status: ConditionStatus): Condition {
  const reason = `${type}${status}`;
  return { type, status, reason, message: "", lastTransitionTime: "2026-01-01T00:00:00Z" };
}

function addressesOf(made: Link) {
  return planEgress([made], []).links.get("west")?.addresses;
}

describe("a link is dialled", () => {
  test("where its spec says, else where its status does, else at our port", () => {
    const status = { gatewayAddresses: ["192.0.2.9"], gatewayPort: 30_443 };
    expect(addressesOf(link({ port: 1234 }, status))).toEqual([{ host: "192.0.2.1", port: 1234 }]);
    expect(addressesOf(link({ addresses: undefined }, status))).toEqual([
      { host: "192.0.2.9", port: 30_443 },
    ]);
    expect(addressesOf(link())).toEqual([{ host: "192.0.2.1", port: 15_008 }]);
  });

  test.each<[string, () => Link, string]>([
    ["no address is known", () => link({ addresses: undefined }), "not known yet"],
    ["its spec is not valid", () => ({ metadata: { name: "west" }, spec: {} }), "spec."],
    [
      "its bundle cannot be parsed",
      () => {
        const made = link();
        const trustBundle = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
        return { ...made, spec: { ...Object(made.spec), trustBundle } };
      },
      "cannot be parsed",
    ],
  ])("never when %s, and the plan says why", (_what, made, message) => {
    const plan = planEgress([made()], [mirror("web", [{ port: 80, targetPort: 10_001 }])]);
    expect(plan.links.size).toBe(0);
    expect(plan.routes.size).toBe(0);
    expect(plan.problems.get("west")).toContain(message);
  });
});
