import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../../../api/objects.ts";
import { renderManifests } from "../../install/manifests.ts";
import { providerObjects } from "../../join/provider-objects.ts";
import { describeRight, expectedRights } from "./expected-rights.ts";

const IN_SYSTEM = { namespace: "isthmus-system" };

async function rightsOf(name: string, namespaces?: string[]): Promise<string[]> {
  const manifests = await renderManifests({ clusterName: "west", namespaces });
  const consumer = { clusterName: "east", gatewayIdentity: "", trustBundle: "" };
  const joined = providerObjects(consumer, namespaces === undefined ? {} : { namespaces });
  const objects = [
    ...manifests.map(({ object }) => object),
    ...joined.map(({ resource, object }) => ({ kind: resource.kind, ...object })),
  ];
  return expectedRights(objects, { ...IN_SYSTEM, name }).map(describeRight);
}

function role(namespace: string, resource: string): KubeObject {
  const rules = [{ apiGroups: [""], resources: [resource], verbs: ["get"] }];
  return Object.assign({ kind: "Role", metadata: { name: "r", namespace } }, { rules });
}

describe("the rights that an account has to have", () => {
  test("are what the shipped roles say, one by one", async () => {
    const rights = await rightsOf("isthmus-controller");
    expect(rights).toContain("create services");
    expect(rights).toContain("patch links.isthmus.dev/status in isthmus-system");
    expect(rights).toContain(
      "update leases.coordination.k8s.io isthmus-controller in isthmus-system",
    );
    expect(rights).not.toContain("list nodes");
    expect(new Set(rights).size).toBe(rights.length);
  });

  test("of the gateways are only to read, one Secret among it", async () => {
    const rights = await rightsOf("isthmus-gateway");
    expect(rights).toContain("watch secrets isthmus-gateway-tls in isthmus-system");
    expect(rights).toContain("list endpointslices.discovery.k8s.io");
    expect(rights.filter((right) => /^(create|delete) (services|links|peers)/.test(right))).toEqual(
      [],
    );
  });

  test("of a consumer's account are to read Services, its own Peer and its own token", async () => {
    const rights = await rightsOf("isthmus-link-east");
    expect(rights).toContain("list services");
    expect(rights).toContain("patch peers.isthmus.dev east in isthmus-system");
    expect(rights).toContain("create serviceaccounts/token isthmus-link-east in isthmus-system");
  });

  test("are those of single namespaces where the installation is restricted to them", async () => {
    const rights = await rightsOf("isthmus-controller", ["shop"]);
    expect(rights).toContain("create services in shop");
    expect(rights).not.toContain("create services");
    expect(await rightsOf("isthmus-link-east", ["shop"])).toContain("list services in shop");
  });

  test("are of the Role in the binding's own namespace, of several with one name", () => {
    const binding = {
      kind: "RoleBinding",
      metadata: { name: "b", namespace: "shop" },
      roleRef: { kind: "Role", name: "r" },
      subjects: [{ kind: "ServiceAccount", name: "a", ...IN_SYSTEM }],
    };
    const objects = [role("other", "secrets"), role("shop", "pods"), binding];
    const rights = expectedRights(objects, { ...IN_SYSTEM, name: "a" });
    expect(rights.map(describeRight)).toEqual(["get pods in shop"]);
  });
});
