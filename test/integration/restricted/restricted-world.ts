import { Registry } from "prom-client";
import { afterAll, beforeAll } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { CONTROLLER_NAME, GATEWAY_NAME } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { openCluster } from "../../../cmd/link/cluster-access.ts";
import { renderManifests } from "../../../cmd/link/install/manifests.ts";
import { join } from "../../../cmd/link/join/join.ts";
import { IsthmusController } from "../../../controller/controller.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import { createLogger } from "../../../kube/logger.ts";
import { declareKubeMetrics, type KubeMetrics } from "../../../kube/metrics.ts";
import type { Cluster } from "../../bed/bed.ts";
import { useBed } from "../../bed/vitest-bed.ts";
import { eventually } from "../fixtures.ts";
import { hurriedClock } from "../hurried-clock.ts";
import { recordingReporter } from "../link-cli/cli-bed.ts";
import { adminOf, tokenConfig, tokenFor } from "../link/clusters.ts";
import { SideObjects } from "./side-objects.ts";

const isRead = (verb: unknown) => verb === "get" || verb === "list" || verb === "watch";

/** What needs no node; Pods would never run. */
const NOT_APPLIED = new Set(["Deployment", "PodDisruptionBudget"]);
/** Where the work may be done: `later` does not exist at first. */
export const LISTED = ["shop", "payments", "later"];
const TIMEOUT_MS = 30_000;

interface Programs {
  readonly controller: IsthmusController;
  readonly gateway: Gateway;
  readonly clients: readonly KubeClient[];
  /** Of the controller's requests, but for those of its Lease. */
  readonly registry: Registry;
}

/** One cluster with Isthmus in listed namespaces: its programs in this process, as the shipped ServiceAccounts. */
export class Side {
  readonly cluster: Cluster;
  readonly admin: KubeClient;
  readonly objects: SideObjects;
  #programs: Programs | undefined;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.admin = adminOf(cluster);
    this.objects = new SideObjects(this.admin, cluster);
  }

  get gateway(): Gateway {
    if (this.#programs === undefined) throw new Error(`nothing runs in ${this.cluster.name}`);
    return this.#programs.gateway;
  }

  /** Applies what `link install --namespaces` applies, as far as it can be; no list: everywhere. */
  async install(namespaces: readonly string[] | undefined): Promise<void> {
    const manifests = await renderManifests({ clusterName: this.cluster.name, namespaces });
    for (const { resource, object } of manifests) {
      if (NOT_APPLIED.has(object.kind ?? "")) continue;
      try {
        await this.admin.apply(resource, object, { fieldManager: "test", force: true });
      } catch (error) {
        // A namespace that is listed and not there yet.
        if (!isApiError(error, 404) || object.metadata.namespace !== "later") throw error;
      }
    }
    await eventually(async () => await this.admin.list(RESOURCES.links, { limit: 1 }), {
      describe: `${this.cluster.name} serves Links`,
    });
  }

  /** A client with a token of a shipped account. */
  async account(name: string, metrics?: KubeMetrics): Promise<KubeClient> {
    const config = tokenConfig(this.cluster, await tokenFor(this.admin, name));
    return createKubeClient(config, metrics && { metrics });
  }

  /** How often the controller has written so far; Events, which may repeat what was told, aside. */
  async writes(): Promise<number> {
    return await this.#requests(({ verb, resource }) => !isRead(verb) && resource !== "events");
  }

  /** How often it has asked who a provider, or it itself, is. */
  async heartbeats(): Promise<number> {
    return await this.#requests(
      ({ verb, resource }) => verb === "get" && resource === "configmaps",
    );
  }

  /** The writes so far, once no more of them come between two heartbeats. */
  async settledWrites(): Promise<number> {
    let seen = { writes: -1, beats: 0 };
    return await eventually(
      async () => {
        const now = { writes: await this.writes(), beats: await this.heartbeats() };
        if (now.writes !== seen.writes) seen = now;
        if (now.beats < seen.beats + 1) throw new Error(`${now.writes} writes`);
        return now.writes;
      },
      { describe: "the controller has written what there was to write", timeoutMs: TIMEOUT_MS },
    );
  }

  /** Starts controller and gateway anew, with these lists. */
  async run(namespaces?: readonly string[], retiredNamespaces?: readonly string[]): Promise<void> {
    await this.stop();
    const registry = new Registry();
    const kubeMetrics = declareKubeMetrics(registry);
    const ofController = await this.account(CONTROLLER_NAME, kubeMetrics);
    const ofLease = await this.account(CONTROLLER_NAME);
    const ofGateway = await this.account(GATEWAY_NAME);
    const clients = [ofController, ofLease, ofGateway];
    const level = process.env["TEST_LOG_LEVEL"] ?? "silent";
    const shared = {
      clusterName: this.cluster.name,
      namespaces,
      // What these tests would sit out is pauses: of a back-off, between heartbeats.
      clock: hurriedClock,
      random: Math.random,
    };
    const controller = new IsthmusController({
      ...shared,
      client: ofController,
      leaseClient: ofLease,
      retiredNamespaces,
      replica: `${this.cluster.name}-controller`,
      health: { port: 0, host: "127.0.0.1" },
      lease: { leaseDurationMs: 120_000, renewDeadlineMs: 100_000, retryPeriodMs: 250 },
      logger: createLogger({ name: `${this.cluster.name}-controller`, level }),
      registry,
      kubeMetrics,
      onLeadershipLost: () => {},
    });
    const gateway = new Gateway({
      ...shared,
      client: ofGateway,
      ports: { ingress: 0, health: 0 },
      host: "127.0.0.1",
      drainDelayMs: 0,
      drainDeadlineMs: 0,
      logger: createLogger({ name: `${this.cluster.name}-gateway`, level }),
      registry: new Registry(),
    });
    this.#programs = { controller, gateway, clients, registry };
    const { signal } = new AbortController();
    await Promise.all([controller.start(signal), gateway.start(signal)]);
    await this.objects.untilPublished(namespaces?.toSorted().join());
  }

  async stop(): Promise<void> {
    const programs = this.#programs;
    this.#programs = undefined;
    await Promise.all([programs?.controller.stop(), programs?.gateway.stop()]);
    for (const client of programs?.clients ?? []) await client.close();
  }

  async #requests(counts: (labels: Record<string, unknown>) => boolean): Promise<number> {
    const metric = this.#programs?.registry.getSingleMetric("isthmus_kube_requests_total");
    const { values } = (await metric?.get()) ?? { values: [] };
    return values.filter(({ labels }) => counts(labels)).reduce((sum, { value }) => sum + value, 0);
  }
}

/** Two clusters with nothing in them but these namespaces; their programs end with the file. */
export function useSides(): () => { west: Side; east: Side; link: () => Promise<void> } {
  const bed = useBed(() => ({
    clusters: [
      { name: "west", nodes: 0 },
      { name: "east", nodes: 0 },
    ],
  }));
  let sides: { west: Side; east: Side } | undefined;
  beforeAll(async () => {
    const made = { west: new Side(bed().cluster("west")), east: new Side(bed().cluster("east")) };
    sides = made;
    await Promise.all(
      Object.values(made).map(async ({ admin }) => {
        for (const name of ["shop", "payments", "other"]) {
          await admin.create<KubeObject>(RESOURCES.namespaces, { metadata: { name } });
        }
      }),
    );
    await Promise.all(Object.values(made).map(async (side) => await side.objects.putApiServer()));
    await Promise.all(Object.values(made).map(async (side) => await side.install(LISTED)));
  });
  afterAll(async () => {
    await Promise.all([sides?.west.stop(), sides?.east.stop()]);
    await Promise.all([sides?.west.admin.close(), sides?.east.admin.close()]);
  });
  return () => {
    if (sides === undefined) throw new Error("the clusters are up only while tests run");
    const { west, east } = sides;
    return { west, east, link: async () => await linkSides(west, east) };
  };
}

/** `link join`: east gets what west exports. */
async function linkSides(west: Side, east: Side): Promise<void> {
  const open = ({ cluster }: Side) =>
    openCluster({ kubeconfig: cluster.kubeconfigPath, context: cluster.name });
  const [provider, consumer] = [open(west), open(east)];
  try {
    await join({
      provider,
      consumer,
      gateway: { addresses: ["127.0.0.1"], port: west.gateway.ingressPort },
      mutual: false,
      wait: true,
      timeoutMs: TIMEOUT_MS,
      reporter: recordingReporter(),
      clock: systemClock,
      signal: new AbortController().signal,
    });
  } finally {
    await Promise.all([provider.client.close(), consumer.client.close()]);
  }
}
