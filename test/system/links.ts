import { INSTALL_NAMESPACE, linkServiceAccountName } from "../../api/names.ts";
import type { Link } from "../../api/link.ts";
import { RESOURCES } from "../../api/resources.ts";
import { poll } from "../bed/poll.ts";
import { link } from "./link-command.ts";
import type { Member, System } from "./system.ts";

const READY_TIMEOUT_MS = 60_000;

/** Waits until a Link says that it is Ready, of its spec as it is now. */
async function untilLinkReady(consumer: Member, name: string): Promise<void> {
  await poll(
    `Link ${name} is Ready`,
    async () => {
      const key = { namespace: INSTALL_NAMESPACE, name };
      const { metadata, status } = await consumer.client.get<Link>(RESOURCES.links, key);
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      if (ready?.status === "True" && ready.observedGeneration === metadata.generation) return true;
      throw new Error(JSON.stringify(ready));
    },
    { timeoutMs: READY_TIMEOUT_MS },
  );
}

/** Sets a Link's spec.apiStalenessSeconds, undefined for the default, and waits until it is acted on. */
export async function setApiStaleness(
  consumer: Member,
  name: string,
  apiStalenessSeconds: number | undefined,
): Promise<void> {
  await consumer.client.patch(
    RESOURCES.links,
    { namespace: INSTALL_NAMESPACE, name },
    { spec: { apiStalenessSeconds: apiStalenessSeconds ?? null } },
    { type: "merge" },
  );
  await untilLinkReady(consumer, name);
}

/**
 * Deletes a consumer's ServiceAccount at the provider, with which its tokens are worth nothing.
 * @returns when it was deleted, in milliseconds since the epoch.
 */
export async function revokeCredentials(provider: Member, consumer: string): Promise<number> {
  const key = { namespace: INSTALL_NAMESPACE, name: linkServiceAccountName(consumer) };
  await provider.client.remove(RESOURCES.serviceAccounts, key);
  return Date.now();
}

/** Joins a consumer to a provider, again if it was before, as an operator would. */
export async function joinLink(system: System, provider: string, consumer: string): Promise<void> {
  await link(system.bed, "join", provider, "--context", consumer);
}
