import { expect, test } from "vitest";
import type { Fault, FaultRule } from "../../faults/fault-proxy.ts";
import { eventually } from "../fixtures.ts";
import { reflectorBench } from "./reflector-bench.ts";

const EXPIRED = JSON.stringify({ kind: "Status", reason: "Expired", code: 410 });
const FAULTS: readonly Fault[] = [
  { type: "drop" },
  { type: "cut" },
  { type: "silence" },
  { type: "respond", statusCode: 410, body: EXPIRED },
  { type: "respond", statusCode: 500, body: "" },
  { type: "body", text: "" },
  { type: "body", text: `{"type":"ERROR","object":${EXPIRED}}\n` },
];

/** A small generator with a seed (mulberry32), so that a failing run can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test.each([1, 2, 3])(
  "whatever fails, the copy ends up equal and every event follows from the one before (seed %i)",
  async (seed) => {
    const random = seeded(seed);
    const pick = <T>(choices: readonly T[]): T | undefined =>
      choices[Math.floor(random() * choices.length)];
    const bench = await reflectorBench();
    const reflector = await bench.startSynced({ pageSize: 3, idleDeadlineMs: 200 });
    const real = new Map<string, string>();
    for (let turn = 0; turn < 60; turn += 1) {
      const name = pick(["a", "b", "c", "d", "e"]) ?? "a";
      if (random() < 0.3) {
        await bench.remove(name);
        real.delete(name);
      } else {
        await bench.put(name, String(turn));
        real.set(name, String(turn));
      }
      const fault = pick(FAULTS);
      if (random() < 0.3 && fault !== undefined) {
        const match: FaultRule["match"] = ({ verb }) =>
          verb === "watch" || (verb === "list" && fault.type === "respond");
        bench.proxy.inject({ match, fault });
        if (random() < 0.5) bench.proxy.cutWatches();
      }
    }
    const events = await bench.takeEvents();
    await eventually(
      () => {
        const copy = new Map(
          reflector.store.list().map(({ metadata, data }) => [metadata.name, data?.["value"]]),
        );
        copy.delete("zz-marker");
        expect(copy).toEqual(real);
      },
      { describe: "the copy is equal" },
    );
    expect(contradictions(events)).toEqual([]);
  },
);

/** Events that cannot follow those before them: deleted twice, or applied with a value it had already. */
function contradictions(events: readonly string[]): string[] {
  const values = new Map<string, string>();
  return events.filter((event) => {
    const [type = "", rest = ""] = event.split(" ");
    const [name = "", value = ""] = rest.split("=");
    const before = values.get(name);
    if (type === "delete") values.delete(name);
    else values.set(name, value);
    return type === "delete"
      ? before === undefined
      : before === value || Number(before) > Number(value);
  });
}
