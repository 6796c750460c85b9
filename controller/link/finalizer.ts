import type { Link } from "../../api/link.ts";
import { CONTROLLER_FIELD_MANAGER, LINK_FINALIZER } from "../../api/names.ts";
import { RESOURCES } from "../../api/resources.ts";
import { isApiError } from "../../kube/client/api-error.ts";
import type { KubeClient } from "../../kube/client/client.ts";

/** Puts our finalizer on a Link that lacks it. @throws ApiError 409 when the Link changed meanwhile */
export async function addFinalizer(
  client: KubeClient,
  link: Link,
  signal: AbortSignal,
): Promise<void> {
  const { finalizers = [] } = link.metadata;
  if (finalizers.includes(LINK_FINALIZER)) return;
  await setFinalizers(client, link, [...finalizers, LINK_FINALIZER], signal);
}

/** Takes our finalizer away, so that the Link may go. @throws ApiError 409 when the Link changed meanwhile */
export async function dropFinalizer(
  client: KubeClient,
  link: Link,
  signal: AbortSignal,
): Promise<void> {
  const { finalizers = [] } = link.metadata;
  if (!finalizers.includes(LINK_FINALIZER)) return;
  const others = finalizers.filter((finalizer) => finalizer !== LINK_FINALIZER);
  await setFinalizers(client, link, others, signal);
}

async function setFinalizers(
  client: KubeClient,
  { metadata: { name, namespace, resourceVersion } }: Link,
  finalizers: string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    await client.patch(
      RESOURCES.links,
      { name, ...(namespace !== undefined && { namespace }) },
      // The list is replaced as a whole: only where nobody else changed it meanwhile.
      { metadata: { finalizers, resourceVersion } },
      { type: "merge", fieldManager: CONTROLLER_FIELD_MANAGER, signal },
    );
  } catch (error) {
    if (!isApiError(error, 404)) throw error;
  }
}
