import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { z } from "zod";
import { INSTALL_NAMESPACE } from "../../api/names.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { Bed } from "../bed/bed.ts";
import { pollWhileAlive, startProcess } from "../bed/processes.ts";
import { slotFolder } from "../bed/slot.ts";
import type { AlertGroups } from "./rules.ts";
import type { Member } from "../system/system.ts";
import { type PodWithPorts, scrapeConfig, targetsOf } from "./scrape-config.ts";

/** Of the node's network, where nothing else listens there. */
const PORT = 9090;
const READY_TIMEOUT_MS = 30_000;
const INTERVAL_SECONDS = 1;
const FOLLOW_MS = 500;

const seriesSchema = z.object({ metric: z.record(z.string(), z.string()) });
const answerSchema = z.object({
  status: z.literal("success"),
  data: z.object({ result: z.array(seriesSchema) }),
});
const alertsSchema = z.object({
  data: z.object({
    alerts: z.array(
      z.object({
        state: z.string(),
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
      }),
    ),
  }),
});

/** The labels of a series. */
export type Labels = Readonly<Record<string, string>>;

/** An alert that fires. */
export interface FiringAlert {
  readonly labels: Labels;
  readonly annotations: Labels;
}

/** A Prometheus in the network of a cluster's first node, which scrapes the cluster's pods once a second. */
export class Prometheus {
  readonly #url: string;
  readonly #startedSeconds = Math.floor(Date.now() / 1000);

  private constructor(url: string) {
    this.#url = url;
  }

  /**
   * Starts one, which ends with the bed; it hears of new pods until `signal` aborts.
   * @throws Error with the end of its log when it ends, or is not ready in time.
   */
  static async start(
    bed: Bed,
    { client, cluster }: Member,
    groups: AlertGroups,
    signal: AbortSignal,
  ): Promise<Prometheus> {
    const slot = /^local-(\d+)$/.exec(bed.id)?.[1];
    const [node] = cluster.nodes;
    if (slot === undefined || node === undefined)
      throw new Error(`Prometheus needs a local bed with a node in ${cluster.name}`);
    const bedFolder = slotFolder(Number(slot));
    const folder = path.join(bedFolder, `prometheus-${cluster.name}`);
    mkdirSync(folder);
    const write = (name: string, content: unknown) => {
      const file = path.join(folder, name);
      // Whole at once: Prometheus reads the targets while they change.
      writeFileSync(`${file}.new`, stringify(content, { lineWidth: 0 }));
      renameSync(`${file}.new`, file);
      return file;
    };
    const targetsPath = write("targets.yaml", await targets(client));
    const config = write("prometheus.yaml", {
      global: { evaluation_interval: `${INTERVAL_SECONDS}s` },
      rule_files: [write("rules.yaml", groups)],
      scrape_configs: [scrapeConfig({ targetsPath, intervalSeconds: INTERVAL_SECONDS })],
    });
    const process = startProcess(bedFolder, {
      label: `${cluster.name}/prometheus`,
      netns: node.netns,
      logPath: path.join(cluster.logsFolder, "prometheus.log"),
      argv: [
        "prometheus",
        `--config.file=${config}`,
        `--storage.tsdb.path=${path.join(folder, "data")}`,
        `--web.listen-address=${node.address}:${PORT}`,
        "--log.level=warn",
      ],
    });
    const url = `http://${node.address}:${PORT}`;
    const isReady = async () => (await fetch(`${url}/-/ready`)).ok;
    await pollWhileAlive(`Prometheus of ${cluster.name} is ready`, [process], isReady, {
      timeoutMs: READY_TIMEOUT_MS,
    });
    void follow(client, (found) => write("targets.yaml", found), signal);
    return new Prometheus(url);
  }

  /** The alerts that fire now. */
  async firing(): Promise<FiringAlert[]> {
    const { data } = alertsSchema.parse(await this.#get("alerts", {}));
    return data.alerts.filter(({ state }) => state === "firing");
  }

  /** The series that a query has had at any time since the start. */
  async seriesSinceStart(query: string): Promise<Labels[]> {
    const end = Math.ceil(Date.now() / 1000);
    const answer = await this.#get("query_range", {
      query,
      start: String(this.#startedSeconds),
      end: String(end),
      step: `${INTERVAL_SECONDS}`,
    });
    return answerSchema.parse(answer).data.result.map(({ metric }) => metric);
  }

  async #get(what: string, parameters: Record<string, string>): Promise<unknown> {
    const query = new URLSearchParams(parameters).toString();
    const answer = await fetch(`${this.#url}/api/v1/${what}?${query}`);
    if (answer.ok) return await answer.json();
    throw new Error(`Prometheus answered ${answer.status}: ${await answer.text()}`);
  }
}

async function targets(client: KubeClient): Promise<object[]> {
  const namespace = INSTALL_NAMESPACE;
  const { items } = await client.list<PodWithPorts>(RESOURCES.pods, { namespace });
  return targetsOf(items);
}

/** Tells of the targets whenever they are others. */
async function follow(
  client: KubeClient,
  tell: (found: readonly object[]) => void,
  signal: AbortSignal,
): Promise<void> {
  let told = "";
  while (!signal.aborted) {
    // An API server that is away for a moment changes nothing.
    const found = await targets(client).catch(() => undefined);
    const text = JSON.stringify(found);
    if (found !== undefined && text !== told && !signal.aborted) {
      told = text;
      tell(found);
    }
    await sleep(FOLLOW_MS, undefined, { signal }).catch(() => undefined);
  }
}
