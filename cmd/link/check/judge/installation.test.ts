import { describe, expect, test } from "vitest";
import type { ConfigMap, KubeObject } from "../../../../api/objects.ts";
import type { ClusterFacts, InstallationFacts } from "../facts/cluster-facts.ts";
import { judgeInstallation, judgeRights, judgeVersionSkew } from "./installation.ts";

const NOW_MS = Date.parse("2026-01-01T12:00:00Z");

const CLUSTER: ClusterFacts = {
  context: "east",
  nowMs: NOW_MS,
  version: { unknown: "" },
  groupVersions: { value: ["v1", "isthmus.dev/v1alpha1"] },
  nodes: { unknown: "" },
  nodeLeases: { unknown: "" },
  namespace: { unknown: "" },
  definitions: { value: [undefined, undefined] },
};

function configMap(data: Record<string, string>): { value: ConfigMap } {
  return { value: { metadata: { name: "x" }, data } };
}

function service(spec: object, ingress: object[] = []): InstallationFacts["gatewayService"] {
  const object: KubeObject = { metadata: { name: "isthmus-gateway" } };
  return { value: { ...object, spec, status: { loadBalancer: { ingress } } } };
}

function lease(holderIdentity: string, renewTime: string): InstallationFacts["lease"] {
  return { value: { metadata: { name: "x" }, spec: { holderIdentity, renewTime } } };
}

const deployment = { metadata: { name: "x" } };
const UNKNOWN = { unknown: "forbidden" };

const GOOD: InstallationFacts = {
  config: configMap({ clusterName: "east", version: "0.2.0" }),
  identity: configMap({ clusterName: "east" }),
  links: { value: [] },
  peers: { value: [] },
  workloads: {
    value: [
      { name: "isthmus-controller", deployment, trouble: undefined },
      { name: "isthmus-gateway", deployment, trouble: undefined },
    ],
  },
  lease: lease("isthmus-controller-a", "2026-01-01T11:59:50.000000Z"),
  gatewayService: service({ type: "LoadBalancer" }, [{ ip: "10.0.0.1" }]),
  authority: { value: undefined },
  leaf: { value: undefined },
};

function judged(
  id: string,
  facts: Partial<InstallationFacts> = {},
  cluster: Partial<ClusterFacts> = {},
): string {
  const findings = judgeInstallation({ ...CLUSTER, ...cluster }, { ...GOOD, ...facts }, "0.2.0");
  const finding = findings.find((each) => each.id === id);
  return `${finding?.result}: ${finding?.message}`;
}

function ofVersion(version: string | undefined): InstallationFacts {
  return { ...GOOD, config: configMap(version === undefined ? {} : { version }) };
}

describe("an installation", () => {
  test("is whole and runs", () => {
    const findings = judgeInstallation(CLUSTER, GOOD, "0.2.0");
    expect(findings.filter(({ result }) => result !== "ok")).toEqual([]);
    expect(findings).toHaveLength(7);
  });

  test.each([
    [
      "installed",
      { config: { value: undefined } },
      "fail: ConfigMap isthmus-system/isthmus-config is missing",
    ],
    [
      "installed",
      { identity: { value: undefined } },
      "fail: ConfigMap isthmus-system/isthmus-identity is missing",
    ],
    [
      "installed",
      { identity: configMap({ clusterName: "west" }) },
      "fail: the controller publishes the name west",
    ],
    ["installed", { config: UNKNOWN }, "skip: forbidden"],
    [
      "isthmus-version",
      { config: configMap({ clusterName: "east", version: "0.3.0" }) },
      "warn: installed is 0.3.0, this program is 0.2.0",
    ],
    [
      "isthmus-version",
      { config: configMap({ clusterName: "east" }) },
      "warn: installed is a version before 0.2.0",
    ],
    [
      "controller-ready",
      {
        workloads: {
          value: [{ name: "isthmus-controller", deployment, trouble: "0 of 2 pods ready" }],
        },
      },
      "fail: 0 of 2 pods ready",
    ],
    ["gateway-ready", { workloads: UNKNOWN }, "skip: forbidden"],
    ["controller-leader", { lease: { value: undefined } }, "fail: no controller leads"],
    [
      "controller-leader",
      { lease: lease("a", "2026-01-01T11:58:59Z") },
      "fail: a has not renewed its Lease since",
    ],
    [
      "gateway-address",
      { gatewayService: { value: undefined } },
      "fail: Service isthmus-system/isthmus-gateway is missing",
    ],
    [
      "gateway-address",
      { gatewayService: service({ type: "LoadBalancer" }) },
      "warn: Service isthmus-system/isthmus-gateway has no address",
    ],
    [
      "gateway-address",
      { gatewayService: service({ type: "NodePort", ports: [{ port: 1, nodePort: 30_008 }] }) },
      "ok: reached by port 30008 of the nodes",
    ],
    [
      "gateway-address",
      { gatewayService: service({ type: "ClusterIP" }) },
      "warn: Service isthmus-system/isthmus-gateway is of type ClusterIP",
    ],
    [
      "gateway-address",
      {
        gatewayService: service({ type: "ClusterIP" }),
        config: configMap({ "component.host-port": "enabled" }),
      },
      "ok: reached by a port of its nodes",
    ],
  ] satisfies [string, Partial<InstallationFacts>, string][])("%s of %j", (id, facts, expected) => {
    expect(judged(id, facts)).toContain(expected);
  });

  test("serves no Links and Peers while their definitions are not Established", () => {
    expect(judged("crds-served", {}, { groupVersions: { value: ["v1"] } })).toBe(
      "fail: isthmus.dev/v1alpha1 is not served",
    );
    const conditions = [{ type: "Established", status: "False", message: "names conflict" }];
    const definition = { metadata: { name: "x" }, status: { conditions } };
    expect(judged("crds-served", {}, { definitions: { value: [definition] } })).toContain(
      "fail: a CustomResourceDefinition is not Established: names conflict",
    );
  });

  test.each([
    ["0.2.0", "0.2.3", "ok"],
    ["0.2.0", "0.3.0", "warn"],
    ["0.2.0", undefined, "skip"],
  ])("of %s works with one of %s: %s", (here, there, result) => {
    expect(judgeVersionSkew(ofVersion(here), ofVersion(there)).result).toBe(result);
  });

  test("lacks rights, each of which is named, or the account itself", () => {
    const account = { namespace: "isthmus-system", name: "isthmus-controller" };
    const right = { verb: "list", group: "", resource: "secrets", namespace: "isthmus-system" };
    const judge = (exists: boolean, denied: (typeof right)[]) =>
      judgeRights(
        "rbac-controller",
        "x",
        { value: { account, exists, asked: 42, denied, aheadMs: 0 } },
        "fix",
      ).message;
    expect(judge(true, [])).toBe("may do all of 42 things it was asked for");
    expect(judge(true, [right])).toBe("may not: list secrets in isthmus-system");
    expect(judge(false, [])).toBe("the ServiceAccount does not exist");
  });
});
