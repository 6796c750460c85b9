import type { Registry } from "prom-client";
import { eventually } from "../fixtures.ts";

/** How often each bound was reached, as `bound link` by the metric. */
export async function boundsReached(registry: Registry): Promise<Record<string, number>> {
  const metrics = await registry.getMetricsAsJSON();
  const found = metrics.find(({ name }) => name === "isthmus_gateway_bound_reached_total");
  const counts: Record<string, number> = {};
  for (const { labels, value } of found?.values ?? []) {
    counts[`${labels["bound"]} ${labels["link"]}`.trim()] = value;
  }
  return counts;
}

/** Waits until a bound (`Bound link`) was reached; returns how often. */
export async function untilReached(
  { registry }: { registry: Registry },
  bound: string,
): Promise<number> {
  return await eventually(
    async () => {
      const counts = await boundsReached(registry);
      const count = counts[bound];
      if (count === undefined) throw new Error(JSON.stringify(counts));
      return count;
    },
    { describe: `the bound ${bound} is reached` },
  );
}
