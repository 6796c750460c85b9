import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { ANNOTATIONS, LABELS } from "../../../api/names.ts";
import { RemoteSession } from "../../../controller/link/remote-session/remote-session.ts";
import { createLogger } from "../../../kube/logger.ts";
import { declareKubeMetrics } from "../../../kube/metrics.ts";
import { configFor, eventually, faultProxy } from "../fixtures.ts";

const MIB = 1024 * 1024;
const EXPORTED = 3;
/** Of one Service as the API server sends it. */
const FILLER = "x".repeat(4096);

setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");

function heapBytes(): number {
  if (typeof collectGarbage === "function") collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** As many Services more, of which three are exported, and an EndpointSlice of each. */
function enlarged(text: string, count: number): string {
  const list: { kind: string; items: unknown[] } = JSON.parse(text);
  const items = Array.from({ length: count }, (_, index) => {
    const name = `made-up-${index}`;
    const exported = index < EXPORTED ? { [ANNOTATIONS.export]: "true" } : {};
    const slice = list.kind === "EndpointSliceList";
    return {
      metadata: {
        namespace: "default",
        name,
        uid: name,
        resourceVersion: "7",
        labels: { [LABELS.serviceName]: name },
        annotations: slice ? {} : { ...exported, "example.org/filler": FILLER },
      },
      ...(slice && { addressType: "IPv4", endpoints: [{ addresses: ["10.9.9.9"] }] }),
    };
  });
  return JSON.stringify({ ...list, items: [...list.items, ...items] });
}

/** What a session with a provider of so many Services keeps, in bytes. */
async function sessionBytes(services: number): Promise<number> {
  const proxy = await faultProxy("west");
  proxy.inject({
    match: ({ verb, path }) => verb === "list" && /\/(services|endpointslices)$/.test(path),
    fault: { type: "edit", json: (text) => enlarged(text, services) },
    times: Infinity,
  });
  const before = heapBytes();
  const session = new RemoteSession({
    linkName: "west",
    kubeconfig: configFor(proxy),
    apiStalenessMs: 300_000,
    expectedCluster: () => "west",
    mustSayWho: false,
    clock: systemClock,
    random: Math.random,
    logger: createLogger({ name: "test", level: "silent" }),
    metrics: declareKubeMetrics(new Registry()),
    onServiceChanged: () => {},
    onChanged: () => {},
  });
  await session.start(new AbortController().signal);
  try {
    const view = await eventually(
      () => {
        if (session.view === undefined) throw new Error("not listed");
        return session.view;
      },
      { describe: "the provider is listed" },
    );
    const kept = view.services.keys().filter((key) => key.includes("made-up"));
    expect(kept).toHaveLength(EXPORTED);
    expect(view.hasReadyEndpoint(`default/made-up-${services - 1}`)).toBe(true);
    return heapBytes() - before;
  } finally {
    await session.stop();
  }
}

test("of 5,000 Services of which 3 are exported little more is kept than of 50", async () => {
  await sessionBytes(50);
  const few = await sessionBytes(50);
  const many = await sessionBytes(5000);
  // All of them would be 20 MiB for the Services alone.
  expect(many - few).toBeLessThan(6 * MIB);
});
