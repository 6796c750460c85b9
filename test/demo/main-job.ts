import {
  killGateway,
  scaleGateway,
  untilAnswered,
  untilGone,
  untilRefused,
  untilSteady,
  untilUnresolved,
  wrongAttempts,
} from "../system/journey.ts";
import { link } from "../system/link-command.ts";
import { createNamespaces, startCaller } from "../system/system.ts";
import { applyObjects } from "../workload/apply-objects.ts";
import { webServer } from "../workload/web-server.ts";
import { formatDuration } from "./printer.ts";
import { bringUpTwoClusters, type JobOptions, stepsOf } from "./two-clusters.ts";

const NAMESPACE = "shop";
const REPLICAS = 2;
/** Answers in a row after which a state counts as steady: two seconds of them. */
const STEADY = 100;

/**
 * The main job, step by step; each step resolves only when what it says was seen.
 * @returns the figures in words.
 */
export async function showMainJob(options: JobOptions): Promise<string[]> {
  const { printer, detached } = options;
  const step = stepsOf(options);
  const system = await bringUpTwoClusters(options);
  const west = system.member("west");
  const east = system.member("east");

  printer.heading("A Service of west, called from a pod in east");
  await step("an HTTP server in west; the namespace in east", async () => {
    await createNamespaces([west, east], NAMESPACE);
    await applyObjects(
      west.client,
      webServer({ namespace: NAMESPACE, name: "web", cluster: "west", image: system.image }),
    );
  });
  const caller = await step("a pod in east calls http://web-west.shop.svc 50 times a second", () =>
    startCaller(system, east, {
      namespace: NAMESPACE,
      name: "caller",
      target: "http://web-west.shop.svc/",
    }),
  );
  const exportedAtMs = Date.now();
  const exported = await step(
    "link export svc/web: the pod gets its answer",
    async () => {
      await link(system.bed, "export", "svc/web", "-n", NAMESPACE, "--context", "west");
      return untilAnswered(caller, "west", exportedAtMs);
    },
    ({ tookMs, attempt }) =>
      `“${(attempt.body ?? "").trim()}” ${formatDuration(tookMs)} after the command began`,
  );

  printer.heading("The provider's gateway dies");
  const killed = await step(
    "killed: the pod is refused",
    async () => {
      await untilSteady(caller, "west", STEADY);
      return untilRefused(caller, await killGateway(west));
    },
    ({ tookMs, attempt }) => `${attempt.code ?? ""} ${formatDuration(tookMs)} after the kill`,
  );
  const returned = await step("it returns: traffic flows", async () => {
    const scaledAtMs = Date.now();
    await scaleGateway(west, REPLICAS);
    const passage = await untilAnswered(caller, "west", scaledAtMs);
    await untilSteady(caller, "west", STEADY);
    return passage;
  });

  printer.heading("No longer exported");
  const unexported = await step(
    "link unexport svc/web: the mirror is removed, its name is gone",
    async () => {
      const unexportedAtMs = Date.now();
      await link(system.bed, "unexport", "svc/web", "-n", NAMESPACE, "--context", "west");
      await untilGone(east, NAMESPACE, "web-west");
      return untilUnresolved(caller, unexportedAtMs);
    },
  );

  await step(
    `of ${caller.attempts.length} connections none hung and none was answered by another`,
    async () => {
      const wrong = wrongAttempts(caller, "west");
      if (wrong.length > 0)
        throw new Error(`${wrong.length} attempts went wrong: ${wrong.slice(0, 5).join(", ")}`);
    },
  );
  if (detached) {
    caller.release();
    await step("link export svc/web again, to play with", () =>
      link(system.bed, "export", "svc/web", "-n", NAMESPACE, "--context", "west"),
    );
  } else {
    await caller.stop();
  }

  return [
    `export to answer ${formatDuration(exported.tookMs)}`,
    `killed to refused ${formatDuration(killed.tookMs)}`,
    `return to answer ${formatDuration(returned.tookMs)}`,
    `unexport to gone ${formatDuration(unexported.tookMs)}`,
  ];
}
