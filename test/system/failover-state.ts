import { ANNOTATIONS, LABELS } from "../../api/names.ts";
import { poll } from "../bed/poll.ts";
import { slicesOf } from "../workload/mirror-state.ts";
import type { Member } from "./system.ts";

const STATE_TIMEOUT_MS = 60_000;

/** Waits until the failover slices of a Service say that a target stands by. */
export async function untilStandsBy(
  { client }: Member,
  { namespace, name }: { namespace: string; name: string },
): Promise<void> {
  const standsBy = async () => {
    const slices = await slicesOf(client, { namespace, name });
    const states = slices
      .filter(({ metadata }) => metadata.labels?.[LABELS.failoverFor] === name)
      .map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.state] ?? "none");
    if (states.length > 0 && states.every((state) => state === "standby")) return true;
    throw new Error(states.join(", ") || "no failover slices");
  };
  await poll(`a target stands by for ${namespace}/${name}`, standsBy, {
    timeoutMs: STATE_TIMEOUT_MS,
  });
}
