import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { expect, test } from "vitest";
import { readSettings } from "./settings.ts";

const MANIFEST = new URL("../../manifests/base/gateway.yaml", import.meta.url);
/** From the deadline of a drain until the process has ended, on a starved node. */
const ENDING_MS = 10_000;

const containerSchema = z.looseObject({
  command: z.array(z.string()),
  args: z.array(z.string()).default([]),
  startupProbe: z.object({ periodSeconds: z.number(), failureThreshold: z.number() }).loose(),
  livenessProbe: z.looseObject({}),
});
const deploymentSchema = z.looseObject({
  kind: z.literal("Deployment"),
  spec: z.looseObject({
    strategy: z.looseObject({
      rollingUpdate: z.object({ maxUnavailable: z.number(), maxSurge: z.number() }),
    }),
    template: z.looseObject({
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.number(),
        containers: z.tuple([containerSchema]),
      }),
    }),
  }),
});

function deploymentSpec() {
  const objects = parseAllDocuments(readFileSync(MANIFEST, "utf8")).map((each): unknown =>
    each.toJS(),
  );
  const found = objects.find((object) => deploymentSchema.safeParse(object).success);
  return deploymentSchema.parse(found).spec;
}

test("the pod's grace period outlasts the deadline of a drain", () => {
  const { terminationGracePeriodSeconds, containers } = deploymentSpec().template.spec;
  const settings = readSettings(containers[0].args, { CLUSTER_NAME: "east" });
  expect(terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(
    settings.drainDeadlineMs + ENDING_MS,
  );
  expect(settings.drainDelayMs).toBeLessThan(settings.drainDeadlineMs / 2);
});

test("a rollout takes no gateway away before another is ready", () => {
  expect(deploymentSpec().strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
});

test("a gateway that is slow to load is not killed for it", () => {
  const { startupProbe } = deploymentSpec().template.spec.containers[0];
  expect(startupProbe.periodSeconds * startupProbe.failureThreshold).toBeGreaterThanOrEqual(120);
});
