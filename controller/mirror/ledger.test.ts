import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { Ledger } from "./ledger.ts";
import { declareMirrorMetrics } from "./metrics.ts";

function ledgerOf(registry: Registry): Ledger {
  return new Ledger(declareMirrorMetrics(registry));
}

async function valuesOf(registry: Registry, name: string): Promise<string[]> {
  const text = await registry.getSingleMetricAsString(name);
  return text.split("\n").filter((line) => line.startsWith(name));
}

it("counts closed mirrors by why they are closed, and no more once they open or their link is gone", async () => {
  const registry = new Registry();
  const ledger = ledgerOf(registry);
  const note = (reason: "NoReadyEndpoints" | "LinkNotReady" | "MirrorOpen") => {
    const state = reason === "MirrorOpen" ? "open" : "closed";
    ledger.note("west", "shop/web", { kind: "mirrored", state, reason, notices: [] });
  };
  note("NoReadyEndpoints");
  expect(await valuesOf(registry, "isthmus_closed_mirrors")).toEqual([
    'isthmus_closed_mirrors{link="west",reason="NoReadyEndpoints"} 1',
  ]);
  note("LinkNotReady");
  note("MirrorOpen");
  expect(await valuesOf(registry, "isthmus_closed_mirrors")).toEqual([
    'isthmus_closed_mirrors{link="west",reason="NoReadyEndpoints"} 0',
    'isthmus_closed_mirrors{link="west",reason="LinkNotReady"} 0',
  ]);
  expect(await valuesOf(registry, "isthmus_mirrors")).toContain(
    'isthmus_mirrors{link="west",state="open"} 1',
  );
  ledger.note("west", "shop/web", undefined);
  ledger.forget("west");
  expect(await valuesOf(registry, "isthmus_closed_mirrors")).toEqual([]);
});
