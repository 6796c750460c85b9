import { describe, expect, test } from "vitest";
import type { ClusterFacts } from "../facts/cluster-facts.ts";
import { judgeBeforeInstall, judgePlatform } from "./platform.ts";

const NODE = {
  metadata: { name: "n1" },
  status: {
    nodeInfo: { operatingSystem: "linux", architecture: "amd64" },
    conditions: [{ type: "Ready", status: "True" }],
  },
};

const GROUPS = [
  "v1",
  "apps/v1",
  "apiextensions.k8s.io/v1",
  "coordination.k8s.io/v1",
  "discovery.k8s.io/v1",
  "events.k8s.io/v1",
  "policy/v1",
  "rbac.authorization.k8s.io/v1",
];

function facts(changes: Partial<ClusterFacts> = {}): ClusterFacts {
  return {
    context: "east",
    nowMs: 0,
    version: { value: { gitVersion: "v1.35.4", major: 1, minor: 35 } },
    groupVersions: { value: GROUPS },
    nodes: { value: [NODE] },
    nodeLeases: { value: [] },
    namespace: { value: undefined },
    definitions: { value: [undefined, undefined] },
    ...changes,
  };
}

function version(major: number, minor: number): Partial<ClusterFacts> {
  return { version: { value: { gitVersion: `v${major}.${minor}.0`, major, minor } } };
}

const deleted = { name: "x", deletionTimestamp: "2026-01-01T00:00:00Z" };
const UNKNOWN = { unknown: "no answer within 10 s" };

function resultOf(id: string, changes: Partial<ClusterFacts>): string {
  const seen = facts(changes);
  const findings = [...judgePlatform(seen), ...judgeBeforeInstall(seen, { value: [] })];
  const finding = findings.find((candidate) => candidate.id === id);
  return `${finding?.result}: ${finding?.message}`;
}

describe("what an installation needs of a cluster", () => {
  test("is there in a cluster of the newest tested version with a node that fits", () => {
    const all = [...judgePlatform(facts()), ...judgeBeforeInstall(facts(), { value: [] })];
    expect(all.filter(({ result }) => result !== "ok")).toEqual([]);
    expect(all).toHaveLength(7);
  });

  test.each([
    ["kube-api", { version: UNKNOWN }, "fail: no answer within 10 s"],
    ["kube-version", { version: UNKNOWN }, "skip: no answer within 10 s"],
    ["kube-version", version(1, 31), "fail: Kubernetes v1.31.0 does not take the rules"],
    ["kube-version", version(1, 32), "ok: Kubernetes v1.32.0"],
    ["kube-version", version(1, 36), "warn: Kubernetes v1.36.0 is newer than 1.35"],
    ["kube-version", version(2, 0), "warn: Kubernetes v2.0.0 is newer"],
    ["api-groups", { groupVersions: { value: GROUPS.slice(1) } }, "fail: not served: v1"],
    ["api-groups", { groupVersions: UNKNOWN }, "skip:"],
    ["namespace-free", { namespace: { value: { metadata: deleted } } }, "fail: namespace"],
    ["namespace-free", { namespace: { value: { metadata: { name: "x" } } } }, "ok: namespace"],
    [
      "crds-free",
      { definitions: { value: [{ metadata: { name: "x" } }, undefined] } },
      "fail: CustomResourceDefinition links.isthmus.dev exists without the label",
    ],
    [
      "crds-free",
      {
        definitions: {
          value: [
            undefined,
            { metadata: { ...deleted, labels: { "app.kubernetes.io/part-of": "isthmus" } } },
          ],
        },
      },
      "fail: CustomResourceDefinition peers.isthmus.dev is being deleted",
    ],
    ["node-platform", { nodes: { value: [] } }, "fail: none of 0 nodes"],
    [
      "node-platform",
      { nodes: { value: [{ ...NODE, spec: { unschedulable: true } }] } },
      "fail: none of 1 nodes is Ready, schedulable, linux and amd64 (there are: linux/amd64)",
    ],
    [
      "node-platform",
      {
        nodes: {
          value: [
            {
              ...NODE,
              status: {
                ...NODE.status,
                nodeInfo: { operatingSystem: "linux", architecture: "arm64" },
              },
            },
          ],
        },
      },
      "fail: none of 1 nodes is Ready, schedulable, linux and amd64 (there are: linux/arm64)",
    ],
  ] satisfies [string, Partial<ClusterFacts>, string][])(
    "%s of %j: %s",
    (id, changes, expected) => {
      expect(resultOf(id, changes)).toContain(expected);
    },
  );

  test("are rights of the user, each named that is missing", () => {
    const denied = [{ verb: "create", group: "apps", resource: "deployments", namespace: "a" }];
    const finding = judgeBeforeInstall(facts(), { value: denied })[0];
    expect(finding).toMatchObject({ id: "install-rights", result: "fail" });
    expect(finding?.message).toBe("the user of this context may not: create deployments.apps in a");
  });
});
