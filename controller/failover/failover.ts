import { isDeepStrictEqual } from "node:util";
import type { Clock, Random } from "../../api/clock.ts";
import { asksForFailover } from "../../api/failover.ts";
import type { Service } from "../../api/objects.ts";
import { isOurs, sourceOf } from "../../api/ownership.ts";
import type { Startable } from "../../api/startable.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Logger } from "../../kube/logger.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import { type Controller, createController } from "../../kube/reconciler/reconciler.ts";
import { EndpointIndex } from "../endpoint-index.ts";
import type { LinkViews } from "../link/link-view.ts";
import { ObjectWriter } from "../object-writer/object-writer.ts";
import { RepairGuard } from "../object-writer/repair-guard.ts";
import type { OwnClusterCaches } from "../own-cluster/caches.ts";
import { type GatewayPod, readyGateways } from "../own-cluster/gateway-pods.ts";
import { FailoverReconciler, type MirrorLookup } from "./failover-reconciler.ts";
import { FailoverMemory } from "./memory.ts";
import type { FailoverMetrics } from "./metrics.ts";
import { OwnSlices } from "./own-slices.ts";
import { References } from "./references.ts";
import { FailoverReporter } from "./reporter.ts";

/** A link that falls moves all Services that fail over to it. */
const CONCURRENCY = 8;

export interface FailoverControllerOptions {
  client: KubeClient;
  /** Synced before the start. */
  caches: OwnClusterCaches;
  links: LinkViews;
  mirrors: MirrorLookup & {
    /** Calls `listener` whenever sources of a link got or lost a mirror; returns how to end that. */
    onTally(listener: (link: string) => void): () => void;
  };
  events: Pick<EventRecorder, "record">;
  /** Name of this cluster among its peers. */
  ownClusterName: string;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: FailoverMetrics;
  kubeMetrics?: KubeMetrics;
}

/** Keeps the EndpointSlices by which local Services fail over to linked clusters. */
export interface FailoverController extends Startable {
  /** The link changed in a way that concerns all who fail over to it. */
  enqueueLink(link: string): void;
  /** Whether slices of ours that point to that link are left. */
  hasObjects(link: string): boolean;
}

/** Makes the controller of failover. It writes between start and stop only. */
export function createFailoverController(options: FailoverControllerOptions): FailoverController {
  return new Failovers(options);
}

class Failovers implements FailoverController {
  readonly #options: FailoverControllerOptions;
  readonly #controller: Controller;
  readonly #slices: OwnSlices;
  readonly #references = new References();
  /** Services that have a ready endpoint of their own, and those that have a usable one. */
  readonly #ready = new EndpointIndex();
  readonly #usable = new EndpointIndex(({ usable }) => usable);
  /** By link, the cluster it was last known to lead to. */
  readonly #clusters = new Map<string, string>();
  readonly #reporter: FailoverReporter;
  readonly #subscriptions: (() => void)[] = [];
  #gateways: readonly GatewayPod[];
  #started = false;

  constructor(options: FailoverControllerOptions) {
    const { caches, metrics, clock, random } = options;
    this.#options = options;
    this.#slices = new OwnSlices(caches.endpointSlices, (key) => this.#enqueue(key));
    this.#gateways = readyGateways(caches.gatewayPods.store.list());
    this.#reporter = new FailoverReporter(options.events, metrics);
    const writer = new ObjectWriter(options.client, metrics);
    this.#follow(writer);
    const reconciler = new FailoverReconciler({
      ...options,
      services: caches.services.store,
      namespaces: caches.namespaces,
      slices: this.#slices,
      references: this.#references,
      memory: new FailoverMemory(),
      reporter: this.#reporter,
      writer,
      repairs: new RepairGuard(clock, random),
      hasReadyEndpoint: (key) => this.#ready.has(key),
      hasUsableEndpoint: (key) => this.#usable.has(key),
      gateways: () => this.#gateways,
    });
    this.#controller = createController({
      name: "failover",
      reconcile: async ({ key }, context) => await reconciler.reconcile(key, context),
      concurrency: CONCURRENCY,
      clock,
      random,
      logger: options.logger,
      ...(options.kubeMetrics && { metrics: options.kubeMetrics }),
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#controller.start(signal);
    this.#started = true;
    const { store } = this.#options.caches.services;
    for (const key of store.keys()) {
      const service = store.get(key);
      if (service !== undefined && asksForFailover(service)) this.#enqueue(key);
    }
    for (const key of this.#slices.services()) this.#enqueue(key);
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions.splice(0)) unsubscribe();
    this.#slices.stop();
    await this.#controller.stop();
    this.#reporter.stop();
  }

  enqueueLink(link: string): void {
    const before = this.#clusters.get(link);
    const cluster = this.#options.links.get(link)?.clusterName;
    if (cluster === undefined) this.#clusters.delete(link);
    else this.#clusters.set(link, cluster);
    for (const each of new Set([before, cluster])) {
      if (each !== undefined) this.#enqueueAll(this.#references.toCluster(each));
    }
    for (const { service } of this.#slices.to(link)) this.#enqueue(service);
  }

  hasObjects(link: string): boolean {
    const slices = this.#slices.to(link);
    return slices.some(({ slice }) => slice.metadata.deletionTimestamp === undefined);
  }

  #follow(writer: ObjectWriter): void {
    const { services, endpointSlices, localEndpoints, gatewayPods } = this.#options.caches;
    for (const object of localEndpoints.store.list()) {
      const { name, namespace = "" } = object.metadata;
      const event = {
        type: "apply",
        key: `${namespace}/${name}`,
        object,
        previous: undefined,
      } as const;
      this.#ready.apply(event);
      this.#usable.apply(event);
    }
    this.#subscriptions.push(
      localEndpoints.onEvent((event) => {
        this.#enqueueAll(this.#ready.apply(event));
        this.#enqueueAll(this.#usable.apply(event));
      }),
      services.onEvent(({ key, previous, ...event }) => {
        const service = event.type === "apply" ? event.object : undefined;
        for (const object of [previous, service]) {
          if (object !== undefined) this.#serviceChanged(key, object);
        }
      }),
      endpointSlices.onEvent(({ type, previous }) => {
        if (type === "delete") writer.forget(previous.metadata.uid ?? "");
      }),
      gatewayPods.onEvent(() => this.#podsChanged()),
      this.#options.mirrors.onTally((link) => this.#tallyChanged(link)),
    );
  }

  #serviceChanged(key: string, service: Service): void {
    const source = isOurs(service) ? sourceOf(service) : undefined;
    if (source !== undefined) this.#enqueueAll(this.#references.toTarget(source));
    if (asksForFailover(service)) this.#enqueue(key);
  }

  #podsChanged(): void {
    const gateways = readyGateways(this.#options.caches.gatewayPods.store.list());
    if (isDeepStrictEqual(gateways, this.#gateways)) return;
    this.#gateways = gateways;
    this.#enqueueAll(this.#references.services());
  }

  /** Why a target has no mirror may have changed; those that have one are told of by the mirror itself. */
  #tallyChanged(link: string): void {
    const { links, mirrors } = this.#options;
    const cluster = links.get(link)?.clusterName;
    for (const target of cluster === undefined ? [] : this.#references.targetsIn(cluster)) {
      const sourceKey = `${target.namespace}/${target.name}`;
      if (mirrors.mirrorOf(link, sourceKey) === undefined) {
        this.#enqueueAll(this.#references.toTarget(target));
      }
    }
  }

  #enqueueAll(keys: Iterable<string>): void {
    for (const key of keys) this.#enqueue(key);
  }

  /** A standby only follows; the start looks at everything. */
  #enqueue(key: string): void {
    if (!this.#started) return;
    const service = this.#options.caches.services.store.get(key);
    const isConcerned = service !== undefined && asksForFailover(service);
    if (isConcerned || this.#slices.of(key).length > 0 || this.#references.has(key)) {
      this.#controller.enqueue({ group: "", key });
    }
  }
}
