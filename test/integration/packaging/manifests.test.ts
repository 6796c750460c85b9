import { stringify } from "yaml";
import { describe, expect, test } from "vitest";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { COMPONENT_NAMES } from "../../../cmd/link/install/manifests.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { run } from "../../bed/command.ts";
import { binaryPaths } from "../../setup/binaries.ts";
import { adminClient, adminKubeconfigPath, testNamespace } from "../fixtures.ts";
import { byHelm, byKustomize, byLink, helmTemplate, type Wishes } from "./renderings.ts";

const NAMESPACES = ["shop", "payments"];
const SWITCHES = COMPONENT_NAMES.filter((name) => name !== "restricted-namespaces");
const EVERYTHING: Wishes = {
  components: SWITCHES.filter((name) => name !== "host-port"),
  namespaces: NAMESPACES,
};

describe("kustomize, Helm and link install render the same objects", () => {
  test.each<[string, Wishes]>([
    ["the base", {}],
    ...SWITCHES.map((name): [string, Wishes] => [`component ${name}`, { components: [name] }]),
    ["restricted namespaces", { namespaces: NAMESPACES }],
    ["every component but host-port", EVERYTHING],
    ["host-port with ha", { components: ["host-port", "ha"] }],
    [
      "one replica of another image",
      { replicas: 1, image: "registry/isthmus:1", components: ["ha"] },
    ],
  ])("%s", async (_title, wishes) => {
    const wanted = await byLink(wishes);
    const [kustomize, helm] = await Promise.all([byKustomize(wishes), byHelm(wishes)]);
    expect(kustomize).toEqual(wanted);
    expect(helm).toEqual(wanted);
  });

  test.each([
    ["two ways to reach the gateway", { components: ["nodeport", "host-port"] }, /components/],
    ["a namespace that cannot be one", { namespaces: ["Shop"] }, /namespaces/],
    ["a component that there is not", { components: ["nodport"] }, /nodport/],
  ])("and the chart refuses %s", async (_title, wishes, complaint) => {
    const { code, stderr } = await run(helmTemplate(wishes));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(complaint);
  });
});

const FOREIGN_GROUPS = /^(cert-manager\.io|monitoring\.coreos\.com)\//;

/** Gives objects to kubectl, which asks the API server what it would do with them, unknown fields refused. */
async function dryRun(objects: readonly KubeObject[]) {
  const text = objects.map((object) => stringify(object)).join("---\n");
  const command = [binaryPaths().kubectl, "--kubeconfig", adminKubeconfigPath("west")];
  const apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
  return await run([...command, ...apply], { input: text });
}

/** A namespace with Pod Security `restricted` enforced and the accounts of our pods. */
async function restrictedNamespace(client: KubeClient): Promise<string> {
  const namespace = await testNamespace(client);
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const change = { metadata: { labels } };
  await client.patch(RESOURCES.namespaces, { name: namespace }, change, { type: "merge" });
  for (const name of ["isthmus-controller", "isthmus-gateway"]) {
    await client.create(RESOURCES.serviceAccounts, { metadata: { namespace, name } });
  }
  return namespace;
}

interface Workload extends KubeObject {
  spec: { template: { spec: object } };
}

function isWorkload(object: KubeObject): object is Workload {
  return object.kind === "Deployment";
}

/** The Pods that the Deployments of a rendering would make, in one namespace. */
async function podsOf(wishes: Wishes, namespace: string): Promise<KubeObject[]> {
  const objects = Object.values(await byLink(wishes));
  return objects.filter(isWorkload).map(({ metadata: { name }, spec }) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace },
    spec: spec.template.spec,
  }));
}

describe("an API server", () => {
  test("knows every field of every object", async () => {
    const namespace = await testNamespace(adminClient("west"));
    const objects = Object.values(await byLink({ ...EVERYTHING, namespaces: [namespace] }));
    const known = objects
      .filter(({ apiVersion = "" }) => !FOREIGN_GROUPS.test(apiVersion))
      .map((object) => ({ ...object, metadata: moved(object.metadata, namespace) }));
    const { code, stdout, stderr } = await dryRun(known);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(known.length);
  });

  test("admits the pods at Pod Security level restricted, with every component but host-port", async () => {
    const namespace = await restrictedNamespace(adminClient("west"));
    for (const wishes of [{}, EVERYTHING]) {
      const { code, stderr } = await dryRun(await podsOf(wishes, namespace));
      expect(stderr).toBe("");
      expect(code).toBe(0);
    }
  });

  test("holds nothing but the host port against component host-port", async () => {
    const namespace = await restrictedNamespace(adminClient("west"));
    const { stderr } = await dryRun(await podsOf({ components: ["host-port"] }, namespace));
    expect(stderr).toMatch(
      /pods "isthmus-gateway" is forbidden: violates PodSecurity "restricted:latest": hostPort \(container "gateway" uses hostPort 15008\)$/m,
    );
    expect(stderr).not.toContain('pods "isthmus-controller"');
  });
});

function moved(metadata: KubeObject["metadata"], namespace: string): KubeObject["metadata"] {
  return metadata.namespace === INSTALL_NAMESPACE ? { ...metadata, namespace } : metadata;
}
