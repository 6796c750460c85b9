import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import type { KubeObject } from "../../../api/objects.ts";
import { renderManifests } from "../../../cmd/link/install/manifests.ts";
import { runOk } from "../../bed/command.ts";
import { binaryPaths } from "../../setup/binaries.ts";

const MANIFESTS = path.join(import.meta.dirname, "../../../manifests");
const KEEP_ANNOTATION = "helm.sh/resource-policy";
const CHART = path.join(MANIFESTS, "helm/isthmus");

/** What an operator asks of the manifests, whichever way they are rendered. */
export interface Wishes {
  readonly components?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly replicas?: number;
  readonly image?: string;
}

/** Objects by kind, namespace and name. */
export type Rendering = Readonly<Record<string, KubeObject>>;

/** What `link install -o yaml` prints. */
export async function byLink(wishes: Wishes): Promise<Rendering> {
  const manifests = await renderManifests({ clusterName: "west", ...wishes });
  return byName(manifests.map(({ object }) => object));
}

/** What kubectl makes of an overlay as docs/packaging.md shows it. */
export async function byKustomize(wishes: Wishes): Promise<Rendering> {
  const folder = await mkdtemp(path.join(tmpdir(), "isthmus-overlay-"));
  try {
    for (const namespace of wishes.namespaces ?? []) {
      const inNamespace = path.join(folder, namespace);
      // Kustomize takes relative paths only.
      const manifests = path.relative(inNamespace, MANIFESTS);
      const resources = [`${manifests}/components/restricted-namespaces/namespace`];
      await mkdir(inNamespace);
      await writeFile(
        path.join(inNamespace, "kustomization.yaml"),
        stringify({ namespace, resources }),
      );
    }
    const overlay = overlayOf(wishes, path.relative(folder, MANIFESTS));
    await writeFile(path.join(folder, "kustomization.yaml"), stringify(overlay));
    return parsed(await runOk([binaryPaths().kubectl, "kustomize", folder]));
  } finally {
    await rm(folder, { recursive: true });
  }
}

function overlayOf(
  { components = [], namespaces = [], replicas, image }: Wishes,
  manifests: string,
): object {
  const restricted = namespaces.length > 0 ? ["restricted-namespaces"] : [];
  const joined = namespaces.toSorted().join();
  return {
    resources: [`${manifests}/base`, ...namespaces],
    components: [...new Set([...components, ...restricted])].map(
      (name) => `${manifests}/components/${name}`,
    ),
    ...(replicas !== undefined && {
      replicas: ["isthmus-controller", "isthmus-gateway"].map((name) => ({
        name,
        count: replicas,
      })),
    }),
    ...(image !== undefined && {
      images: [
        { name: "localhost/isthmus", newName: image.split(":")[0], newTag: image.split(":")[1] },
      ],
    }),
    patches: [
      patch("ConfigMap", "isthmus-config", [
        { op: "replace", path: "/data/clusterName", value: "west" },
        ...(joined === "" ? [] : [{ op: "add", path: "/data/namespaces", value: joined }]),
      ]),
      ...(joined === ""
        ? []
        : [
            patch("Deployment", undefined, [
              {
                op: "add",
                path: "/spec/template/metadata/annotations",
                value: { "isthmus.dev/namespaces": joined },
              },
            ]),
          ]),
      ...(components.includes("cert-manager")
        ? [
            patch("Certificate", "isthmus-gateway-tls", [
              { op: "replace", path: "/spec/uris/0", value: "spiffe://west/isthmus/gateway" },
            ]),
          ]
        : []),
      ...(replicas === 1
        ? [
            patch("PodDisruptionBudget", undefined, [
              { op: "replace", path: "/spec/minAvailable", value: 0 },
            ]),
          ]
        : []),
    ],
  };
}

function patch(kind: string, name: string | undefined, operations: readonly object[]): object {
  return { target: { kind, ...(name !== undefined && { name }) }, patch: stringify(operations) };
}

/** What `helm template` makes of the chart. */
export async function byHelm(wishes: Wishes): Promise<Rendering> {
  const rendering = parsed(await runOk(helmTemplate(wishes)));
  for (const { metadata } of Object.values(rendering)) {
    const { [KEEP_ANNOTATION]: _kept, ...annotations } = metadata.annotations ?? {};
    // The one thing that only Helm's objects have.
    if (Object.keys(annotations).length === 0) delete metadata.annotations;
    else metadata.annotations = annotations;
  }
  return rendering;
}

/** The command for it. */
export function helmTemplate({
  components = [],
  namespaces = [],
  replicas,
  image,
}: Wishes): string[] {
  const values = {
    clusterName: "west",
    namespaces,
    components: Object.fromEntries(components.map((name) => [camelCase(name), true])),
    ...(replicas !== undefined && { replicas }),
    ...(image !== undefined && { image }),
  };
  const set = Object.entries(values).flatMap(([key, value]) => [
    "--set-json",
    `${key}=${JSON.stringify(value)}`,
  ]);
  return [binaryPaths().helm, "template", "isthmus", CHART, ...set];
}

function camelCase(name: string): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function parsed(text: string): Rendering {
  const documents = parseAllDocuments(text).map((document): KubeObject | null => document.toJS());
  return byName(documents.filter((object) => object !== null));
}

function byName(objects: readonly KubeObject[]): Rendering {
  return Object.fromEntries(
    objects.map((object) => {
      const { namespace, name } = object.metadata;
      return [[object.kind, namespace, name].filter(Boolean).join(" "), object];
    }),
  );
}
