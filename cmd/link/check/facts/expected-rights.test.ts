import { describe, expect, test } from "vitest";
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
});
