import { expect, test } from "vitest";
import type { Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { DAMPER_LIMITS } from "../../../controller/mirror/damper.ts";
import { hurriedClock } from "../hurried-clock.ts";
import { isOpen } from "./consumer.ts";
import { exported } from "./hand-links.ts";
import { useConsumer } from "./use-consumer.ts";

const { services } = RESOURCES;
/** It refills the bucket of a source that flaps, which is all that is waited for in the end. */
const setup = useConsumer(hurriedClock);
const FLAPS = 100;

test("sources whose export and endpoints flap 100 times cost few writes, and are mirrored and open in the end", async () => {
  const { consumer, west, namespace } = setup;
  await consumer.opensMirror(west, "idler");
  const [before, startMs] = [await consumer.writes(), hurriedClock.nowMs()];
  for (let flap = 0; flap < FLAPS; flap += 1) {
    west.put(exported(namespace, "guest"));
    west.put(exported(namespace, "idler"), { ready: false });
    // Gives the controller the time to follow.
    await consumer.find(services, "guest-west");
    west.drop(`${namespace}/guest`);
    west.put(exported(namespace, "idler"));
    await consumer.find(services, "guest-west");
  }
  west.put(exported(namespace, "guest"));
  for (const name of ["guest-west", "idler-west"]) {
    await consumer.sees<Service>(services, name, isOpen);
  }
  await consumer.settles("west", { mirrored: 2, skipped: 0 });
  const rises =
    DAMPER_LIMITS.burst + 1 + Math.ceil((hurriedClock.nowMs() - startMs) / DAMPER_LIMITS.refillMs);
  const writes = await consumer.writes();
  const made = (kind: string): number => (writes[kind] ?? 0) - (before[kind] ?? 0);
  expect(made("create services")).toBeLessThanOrEqual(rises);
  expect(made("delete services")).toBeLessThanOrEqual(rises);
  expect(made("apply services")).toBeLessThanOrEqual(2 * rises);
  expect(made("apply endpointslices")).toBeLessThanOrEqual(2 * rises);
  expect((await consumer.event(west, REASONS.SourceFlapping)).note).toContain(`${namespace}/guest`);
});
