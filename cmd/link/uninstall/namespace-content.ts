import type { KubeObject } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Manifest } from "../install/manifests.ts";

interface GroupList {
  readonly groups: readonly { name: string; versions: readonly { version: string }[] }[];
}

interface ResourceList {
  readonly resources: readonly {
    name: string;
    kind: string;
    namespaced: boolean;
    verbs: readonly string[];
  }[];
}

/** Names and labels are enough, and the contents of Secrets are not asked for. */
const METADATA_ONLY =
  "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/** What Kubernetes itself puts into every namespace. */
const DEFAULTS: readonly (readonly [resource: Resource, name: string])[] = [
  [RESOURCES.configMaps, "kube-root-ca.crt"],
  [RESOURCES.serviceAccounts, "default"],
];

/**
 * Everything that somebody put into a namespace: all objects of all kinds that
 * can be deleted, without what Kubernetes puts into each, without Events, and
 * without what belongs to another object.
 */
export async function contentOf(
  access: Pick<ClusterAccess, "client">,
  namespace: string,
  signal: AbortSignal,
): Promise<Manifest[]> {
  const kinds = await deletableKinds(access, signal);
  const lists = await Promise.all(
    kinds.map(async (resource) => {
      const objects = await namesIn(access, resource, namespace, signal);
      return objects.map((object) => ({ resource, object }));
    }),
  );
  return lists.flat().filter((item) => !isOfTheCluster(item));
}

function isOfTheCluster({ resource, object: { metadata } }: Manifest): boolean {
  if ((metadata.ownerReferences ?? []).length > 0) return true;
  return DEFAULTS.some(
    ([{ group, plural }, name]) =>
      resource.group === group && resource.plural === plural && metadata.name === name,
  );
}

async function namesIn(
  { client }: Pick<ClusterAccess, "client">,
  resource: Resource,
  namespace: string,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  try {
    const { items } = await client.request<{ items: KubeObject[] | null }>({
      method: "GET",
      path: resourcePath(resource, { namespace }),
      accept: METADATA_ONLY,
      signal,
    });
    return items ?? [];
  } catch (error) {
    // Its definition went meanwhile.
    if (isApiError(error, 404, 405)) return [];
    throw error;
  }
}

/** Each namespaced kind once, in the first version that its group offers. */
async function deletableKinds(
  access: Pick<ClusterAccess, "client">,
  signal: AbortSignal,
): Promise<Resource[]> {
  const path = "/apis";
  const { groups } = await access.client.request<GroupList>({ method: "GET", path, signal });
  const versions = groups.flatMap(({ name: group, versions: all }) =>
    all.map(({ version }) => ({ group, version })),
  );
  const lists = await Promise.all(
    [{ group: "", version: "v1" }, ...versions].map((each) => kindsOf(access, each, signal)),
  );
  const kinds = new Map<string, Resource>();
  for (const resource of lists.flat()) {
    const type = `${resource.plural}.${resource.group}`;
    if (resource.plural !== RESOURCES.events.plural && !kinds.has(type)) kinds.set(type, resource);
  }
  return [...kinds.values()];
}

async function kindsOf(
  { client }: Pick<ClusterAccess, "client">,
  { group, version }: { group: string; version: string },
  signal: AbortSignal,
): Promise<Resource[]> {
  const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  try {
    const { resources } = await client.request<ResourceList>({ method: "GET", path, signal });
    return resources
      .filter(
        ({ namespaced, verbs }) => namespaced && verbs.includes("list") && verbs.includes("delete"),
      )
      .map(({ name, kind }) => ({ group, version, plural: name, kind, namespaced: true }));
  } catch (error) {
    if (!isApiError(error, 404, 503)) throw error;
    // Kubernetes does not finish the removal of any namespace either while this lasts.
    throw new CliError(
      `${path} does not answer, so that it is not known what the namespace holds`,
      {
        fix: "see which API service is not available (kubectl get apiservices), mend or remove it, then give the command again, it carries on",
        cause: error,
      },
    );
  }
}
