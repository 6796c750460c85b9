import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { renderManifests } from "./manifests.ts";

/** The YAML of one object of the manifests. */
async function textOf(title: string, options: Parameters<typeof renderManifests>[0]) {
  const manifests = await renderManifests(options);
  const found = manifests.find(
    ({ resource, object }) => `${resource.kind} ${object.metadata.name}` === title,
  );
  return stringify(found?.object);
}

describe("the manifests", () => {
  test("begin with the namespace and the CRDs, so that they can be applied in order", async () => {
    const kinds = (await renderManifests({ clusterName: "west" })).map(
      ({ resource }) => resource.kind,
    );
    expect(kinds.slice(0, 3)).toEqual([
      "Namespace",
      "CustomResourceDefinition",
      "CustomResourceDefinition",
    ]);
  });

  test("carry the cluster's name", async () => {
    const text = await textOf("ConfigMap isthmus-config", { clusterName: "west" });
    expect(text).toContain("clusterName: west");
  });

  test.each(["isthmus-controller", "isthmus-gateway"])(
    "carry image and replicas in %s",
    async (name) => {
      const options = { clusterName: "west", image: "registry/isthmus:1", replicas: 3 };
      const text = await textOf(`Deployment ${name}`, options);
      expect(text).toContain("image: registry/isthmus:1");
      expect(text).toContain("replicas: 3");
    },
  );

  test("let a node with the only replica be drained", async () => {
    const budget = "PodDisruptionBudget isthmus-gateway";
    expect(await textOf(budget, { clusterName: "west", replicas: 1 })).toContain("minAvailable: 0");
    expect(await textOf(budget, { clusterName: "west", replicas: 2 })).toContain("minAvailable: 1");
  });
});
