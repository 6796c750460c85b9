import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { CliError } from "../cli-error.ts";
import {
  COMPONENT_NAMES,
  installationRecord,
  type ManifestOptions,
  renderManifests,
  requireComponents,
} from "./manifests.ts";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../../..");
const BASE = { clusterName: "west" };

async function objectsOf(options: ManifestOptions) {
  return (await renderManifests(options)).map(({ object }) => object);
}

/** The YAML of one object of the manifests. */
async function textOf(title: string, options: ManifestOptions) {
  const objects = await objectsOf(options);
  const found = objects.find(({ kind, metadata }) => `${kind} ${metadata.name}` === title);
  return stringify(found);
}

/** Every component that can be had together with the others. */
const EVERYTHING = {
  ...BASE,
  components: COMPONENT_NAMES.filter((name) => name !== "host-port"),
  namespaces: ["shop"],
};

async function failureOf(options: ManifestOptions): Promise<CliError> {
  const failure: unknown = await renderManifests(options).catch((error: unknown) => error);
  if (failure instanceof CliError) return failure;
  throw new Error("it was not refused");
}

describe("the manifests", () => {
  test("begin with the namespace and the CRDs, so that they can be applied in order", async () => {
    const kinds = (await renderManifests(BASE)).map(({ resource }) => resource.kind);
    expect(kinds.slice(0, 3)).toEqual([
      "Namespace",
      "CustomResourceDefinition",
      "CustomResourceDefinition",
    ]);
  });

  test("carry the cluster's name", async () => {
    const text = await textOf("ConfigMap isthmus-config", BASE);
    expect(text).toContain("clusterName: west");
  });

  test.each(["isthmus-controller", "isthmus-gateway"])(
    "carry image and replicas in %s",
    async (name) => {
      const options = { ...BASE, image: "registry/isthmus:1", replicas: 3 };
      const text = await textOf(`Deployment ${name}`, options);
      expect(text).toContain("image: registry/isthmus:1");
      expect(text).toContain("replicas: 3");
    },
  );

  test("let a node with the only replica be drained", async () => {
    const budget = "PodDisruptionBudget isthmus-gateway";
    expect(await textOf(budget, { ...BASE, replicas: 1 })).toContain("minAvailable: 0");
    expect(await textOf(budget, { ...BASE, replicas: 2 })).toContain("minAvailable: 1");
  });

  test("say of every object that it is a part of Isthmus, and of which version", async () => {
    const { version }: { version: string } = JSON.parse(
      await readFile(path.join(PROJECT_FOLDER, "package.json"), "utf8"),
    );
    for (const { kind, metadata } of await objectsOf(EVERYTHING)) {
      expect({ kind, ...metadata.labels }).toMatchObject({
        kind,
        "app.kubernetes.io/part-of": "isthmus",
        "app.kubernetes.io/version": version,
      });
    }
  });
});

describe("a component", () => {
  test.each(COMPONENT_NAMES)("is remembered by the installation: %s", async (name) => {
    const objects = await objectsOf({ ...BASE, components: [name], namespaces: ["shop"] });
    const config = objects.find(({ metadata }) => metadata.name === "isthmus-config");
    expect(config).toBeDefined();
    const record = installationRecord(config ?? { metadata: { name: "" } });
    expect(record.components).toContain(name);
    expect(record.clusterName).toBe("west");
  });

  test("is added once, whatever the order", () => {
    expect(requireComponents(["monitoring", "ha", "nodeport", "ha"])).toEqual([
      "nodeport",
      "ha",
      "monitoring",
    ]);
  });

  test("that does not exist is refused with the one that was meant", async () => {
    const { message, fix, exitCode } = await failureOf({ ...BASE, components: ["nodport"] });
    expect(message).toBe('there is no component "nodport"');
    expect(fix).toBe("did you mean nodeport?");
    expect(exitCode).toBe(2);
  });

  test("that contradicts another is refused", async () => {
    const { message } = await failureOf({ ...BASE, components: ["host-port", "nodeport"] });
    expect(message).toBe("components nodeport and host-port exclude each other");
  });
});

describe("a list of namespaces", () => {
  test("gives rights in those, sorted and each once, and none in all", async () => {
    const objects = await objectsOf({ ...BASE, namespaces: ["shop", "payments", "shop"] });
    const bindings = objects.filter(
      ({ kind, metadata }) => kind === "RoleBinding" && metadata.name === "isthmus-controller",
    );
    expect(bindings.map(({ metadata }) => metadata.namespace)).toEqual([
      "isthmus-system",
      "payments",
      "shop",
    ]);
    expect(objects.filter(({ kind }) => kind === "ClusterRoleBinding")).toEqual([]);
    const config = await textOf("ConfigMap isthmus-config", { ...BASE, namespaces: ["shop", "b"] });
    expect(config).toContain("namespaces: b,shop");
  });

  test("starts the pods anew when it changes", async () => {
    const text = await textOf("Deployment isthmus-gateway", { ...BASE, namespaces: ["shop"] });
    expect(text).toContain("isthmus.dev/namespaces: shop");
  });

  test("is needed by the component, and has to hold names", async () => {
    const without = await failureOf({ ...BASE, components: ["restricted-namespaces"] });
    expect(without.fix).toBe("name them with --namespaces shop,payments");
    const wrong = await failureOf({ ...BASE, namespaces: ["Shop"] });
    expect(wrong.message).toBe('"Shop" cannot be the name of a namespace');
  });
});

test("an installation from before components says nothing of itself but its name", () => {
  const config = { metadata: { name: "isthmus-config" }, data: { clusterName: "west" } };
  expect(installationRecord(config)).toEqual({
    version: undefined,
    clusterName: "west",
    components: [],
    namespaces: [],
  });
});
