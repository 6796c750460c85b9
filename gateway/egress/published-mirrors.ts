import type { Clock, Random } from "../../api/clock.ts";
import { LABELS, MANAGED_BY } from "../../api/names.ts";
import type { EndpointSlice, KubeObject } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { Logger } from "../../kube/logger.ts";
import { createObjectCache } from "../../kube/reflector/namespaced-cache.ts";

/** After this long without being named, kube-proxy (at most one sync a second) sends no client here. */
const KUBE_PROXY_SYNC_MS = 2000;
const POLL_MS = 50;

export interface PublishedMirrorsOptions {
  client: KubeClient;
  /** The addresses at which mirrors name this gateway. */
  addresses: readonly string[];
  /** Where mirrors may be; everywhere when absent. */
  namespaces?: readonly string[] | undefined;
  clock: Clock;
  random: Random;
  logger: Logger;
}

/**
 * Waits until mirrors send no more clients to this gateway: until none of
 * their EndpointSlices names it, and kube-proxy has had the time to act on
 * that. With many mirrors the controller needs longer to take a gateway out
 * than any fixed delay. Resolves after `boundMs` at the latest, as when no
 * controller runs; rejects when `signal` aborts.
 */
export async function untilUnpublished(
  { client, addresses, namespaces, clock, random, logger }: PublishedMirrorsOptions,
  boundMs: number,
  signal: AbortSignal,
): Promise<void> {
  const own = new Set(addresses);
  const naming = createObjectCache<EndpointSlice>(
    {
      client,
      resource: RESOURCES.endpointSlices,
      labelSelector: `${LABELS.managedBy}=${MANAGED_BY}`,
      transform: (raw) => namesOneOf(raw, own),
      clock,
      random,
      logger,
      name: "published",
    },
    namespaces,
  );
  let leftAtMs = Number.NEGATIVE_INFINITY;
  naming.onEvent(({ type }) => {
    if (type === "delete") leftAtMs = clock.nowMs();
  });
  const isMoved = () =>
    naming.synced &&
    naming.store.list().length === 0 &&
    clock.nowMs() - leftAtMs >= KUBE_PROXY_SYNC_MS;
  const endMs = clock.nowMs() + boundMs;
  await naming.start(signal);
  try {
    while (!isMoved() && clock.nowMs() < endMs) await clock.sleep(POLL_MS, signal);
  } finally {
    await naming.stop();
  }
}

function namesOneOf(raw: KubeObject, own: ReadonlySet<string>): EndpointSlice | undefined {
  const { metadata, endpoints }: EndpointSlice = raw;
  const isNamed = (endpoints ?? []).some(({ addresses }) => addresses.some((ip) => own.has(ip)));
  const { name, namespace = "" } = metadata;
  return isNamed ? { metadata: { name, namespace } } : undefined;
}
