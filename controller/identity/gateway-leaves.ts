import { isIPv6 } from "node:net";
import { GATEWAY_HEALTH_PORT } from "../../api/names.ts";
import type { Pod } from "../../api/objects.ts";

const ASK_TIMEOUT_MS = 2_000;
/** What a gateway's metrics page says of its certificate; seconds since the epoch. */
const LEAF_LINE = /^isthmus_gateway_leaf_not_after_seconds (\S+)$/m;

/**
 * Asks each gateway, by its metrics, whether the certificate it uses is the one
 * that expires at `notAfterMs`. Returns the names of those that did not say so:
 * they may use an older one, or cannot be asked.
 */
export async function gatewaysLackingLeaf(
  pods: readonly Pod[],
  notAfterMs: number,
  signal: AbortSignal,
): Promise<string[]> {
  const asked = pods.filter(mayServe).map(async (pod) => {
    const usesIt = (await leafEndMs(pod, signal)) === notAfterMs;
    return usesIt ? [] : [pod.metadata.name];
  });
  return (await Promise.all(asked)).flat().toSorted();
}

function mayServe({ status }: Pod): boolean {
  return status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

async function leafEndMs(pod: Pod, signal: AbortSignal): Promise<number | undefined> {
  const address = pod.status?.podIPs?.[0]?.ip;
  if (address === undefined) return undefined;
  const host = isIPv6(address) ? `[${address}]` : address;
  try {
    const answer = await fetch(`http://${host}:${GATEWAY_HEALTH_PORT}/metrics`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]),
    });
    const [, seconds] = LEAF_LINE.exec(await answer.text()) ?? [];
    return seconds === undefined ? undefined : Number(seconds) * 1000;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error) return undefined;
    throw error;
  }
}
