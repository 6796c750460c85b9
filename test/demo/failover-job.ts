import { writeFileSync } from "node:fs";
import { ANNOTATIONS, CONTROLLER_NAME, INSTALL_NAMESPACE, LABELS } from "../../api/names.ts";
import type { Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { poll } from "../bed/poll.ts";
import { killDeployment, scaleDeployment } from "../system/deployments.ts";
import { untilStandsBy } from "../system/failover-state.ts";
import { startController, untilSteady } from "../system/journey.ts";
import { link } from "../system/link-command.ts";
import { createNamespaces, type Member, startCaller, type System } from "../system/system.ts";
import { applyObjects } from "../workload/apply-objects.ts";
import type { Caller } from "../workload/caller.ts";
import { recordOf } from "../workload/request-record.ts";
import { webServer } from "../workload/web-server.ts";
import type { AnswerChart } from "./answer-chart.ts";
import { Timeline } from "./failover-timeline.ts";
import { judge } from "./failover-verdict.ts";
import { formatDuration } from "./printer.ts";
import { drawSvg } from "./svg-chart.ts";
import { drawOnTerminal } from "./terminal-chart.ts";
import { bringUpTwoClusters, type JobOptions, stepsOf } from "./two-clusters.ts";

const NAMESPACE = "shop";
const WEB = { namespace: NAMESPACE, name: "web", labelSelector: "app=web" };
const CONTROLLER = {
  namespace: INSTALL_NAMESPACE,
  name: CONTROLLER_NAME,
  labelSelector: `${LABELS.name}=${CONTROLLER_NAME}`,
};
const REPLICAS = 2;
/** A probe, a change of the EndpointSlices and a sync of kube-proxy fit in, twice. */
const DRAIN_MS = 4000;
const PERIOD_MS = 10;
const REQUEST_TIMEOUT_MS = 1000;
/** Answers in a row after which a state counts as steady: two seconds of them. */
const STEADY = 200;
const STATE_TIMEOUT_MS = 60_000;
const COLUMNS = 72;
const TITLE = `Answers to http://web.shop.svc in east, ${1000 / PERIOD_MS} requests a second`;

export interface FailoverJobOptions extends JobOptions {
  /** Where to write the chart as SVG; nowhere when absent. */
  readonly svgPath: string | undefined;
  readonly colour: boolean;
}

/**
 * Takes the pods of a Service away and brings them back under load, twice, most of it without a controller.
 * @returns the figures in words.
 * @throws Error when a request was answered by another cluster than it should have been, or failed where none may.
 */
export async function showFailover(options: FailoverJobOptions): Promise<string[]> {
  const { printer, svgPath, colour } = options;
  const system = await bringUpTwoClusters(options);
  const east = system.member("east");
  const caller = await protect(options, system);
  const timeline = await playStory(options, east, caller);

  const chart = await chartOf(timeline, caller);
  const verdict = judge(timeline.phases(chart.toMs), chart.records);
  printer.heading(TITLE);
  for (const line of drawOnTerminal(chart, { columns: COLUMNS, colour })) printer.line(line);
  const { requests, failed, longest, wrong } = verdict;
  const figures = [
    `${failed} of ${requests} requests failed${failed > 0 && wrong.length === 0 ? ", all of them at the kill" : ""}`,
    `longest time without an answer ${formatDuration(longest.gapMs)}`,
  ];
  if (wrong.length > 0) throw new Error([...wrong, ...figures].join("; "));
  if (svgPath !== undefined) writeFileSync(svgPath, drawSvg(chart, TITLE));
  if (options.detached) await startController(east);
  return figures;
}

/** A Service in both clusters, whose consumer fails over, and a pod that calls it by its own name. */
async function protect(options: FailoverJobOptions, system: System): Promise<Caller> {
  const { bed, image } = system;
  const [west, east] = [system.member("west"), system.member("east")];
  const step = stepsOf(options);
  options.printer.heading("A Service of both, which in east fails over to west");
  await step(`Service shop/web in both, ${REPLICAS} pods each`, async () => {
    await createNamespaces([west, east], NAMESPACE);
    for (const { client, name: cluster } of [west, east]) {
      await applyObjects(
        client,
        webServer({ ...WEB, cluster, image, replicas: REPLICAS, drainMs: DRAIN_MS }),
      );
    }
  });
  await step("link export svc/web --context west", () =>
    link(bed, "export", "svc/web", "-n", NAMESPACE, "--context", "west"),
  );
  await step(
    `${ANNOTATIONS.failover}: west on shop/web in east, until west stands by`,
    async () => {
      const annotations = { [ANNOTATIONS.failover]: "west" };
      await east.client.patch(
        RESOURCES.services,
        WEB,
        { metadata: { annotations } },
        { type: "merge" },
      );
      await untilStandsBy(east, WEB);
    },
  );
  return await step("a pod in east calls http://web.shop.svc 100 times a second", async () => {
    const caller = await startCaller(system, east, {
      namespace: NAMESPACE,
      name: "caller",
      target: "http://web.shop.svc/",
      periodMs: PERIOD_MS,
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    await untilSteady(caller, "east", STEADY / 2);
    return caller;
  });
}

/** Each step does something and waits until the answers are steady again. */
async function playStory(
  options: FailoverJobOptions,
  east: Member,
  caller: Caller,
): Promise<Timeline> {
  const { printer } = options;
  const step = stepsOf(options);
  const timeline = new Timeline();
  const steady = async (name: string, cluster: string) => {
    timeline.begin(Date.now(), { name, kind: "steady", mayAnswer: [cluster], mayFail: false });
    await untilSteady(caller, cluster, STEADY);
  };
  const handOver = async (
    to: string,
    name: string,
    act: () => Promise<number>,
    mayFail = false,
  ) => {
    const mayAnswer = ["east", "west"];
    timeline.begin(Date.now(), { name, kind: "handover", mayAnswer, mayFail });
    timeline.mark(await act(), name);
    await untilSteady(caller, to, STEADY / 2);
  };
  const scale = (replicas: number) => async () => {
    const atMs = Date.now();
    await scaleDeployment(east, WEB.namespace, WEB.name, replicas);
    return atMs;
  };

  printer.heading("The pods of east go, as in a rollout, and return without a controller");
  await step("east answers", () => steady("pods in east", "east"));
  await step("pods of east told to end: west answers", async () => {
    await handOver("west", "pods of east told to end", scale(0));
    await steady("no pods in east", "west");
  });
  await step("the controller of east killed: west answers", async () => {
    timeline.mark(await killDeployment(east, CONTROLLER), "controller of east killed");
    await untilSteady(caller, "west", STEADY);
  });
  await step("pods return: east answers", async () => {
    await handOver("east", "pods of east return", scale(REPLICAS));
    await steady("pods in east again", "east");
  });

  printer.heading("The pods of east are killed, still without a controller");
  await step("pods of east killed: west answers", async () => {
    await handOver("west", "pods of east killed", () => killDeployment(east, WEB), true);
    await steady("no pods in east, after a kill", "west");
  });
  await step("pods return: east answers", async () => {
    await handOver("east", "pods of east return again", scale(REPLICAS));
    await steady("pods in east at the end", "east");
  });
  await step("there was no controller in east all the while", () => assertNoController(east));
  return timeline;
}

async function assertNoController({ client }: Member): Promise<void> {
  const { items } = await client.list<Pod>(RESOURCES.pods, CONTROLLER);
  if (items.length > 0) throw new Error(`there are ${items.length} pods of the controller`);
}

/** All that was asked until now, once it is known what came of it. */
async function chartOf(timeline: Timeline, caller: Caller): Promise<AnswerChart> {
  const toMs = Date.now();
  await poll(
    "an attempt after the end",
    () => caller.attempts.some(({ atMs }) => atMs > toMs + REQUEST_TIMEOUT_MS),
    { timeoutMs: STATE_TIMEOUT_MS },
  );
  caller.release();
  const { marks } = timeline;
  const fromMs = Math.min(...timeline.phases(toMs).map((phase) => phase.fromMs));
  const killedMs = marks.find(({ text }) => text.startsWith("controller"))?.atMs ?? toMs;
  return {
    fromMs,
    toMs,
    records: caller.attempts.map(recordOf),
    clusters: ["east", "west"],
    marks,
    without: { fromMs: killedMs, toMs, text: "no controller in east" },
  };
}
