import type { Clock, Random } from "../../api/clock.ts";
import type { Link } from "../../api/link.ts";
import { ANNOTATIONS } from "../../api/names.ts";
import { type EndpointSlice, keyOf, type Service } from "../../api/objects.ts";
import { failingOverBy, formatSource, isOurs, sourceOf } from "../../api/ownership.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { Startable } from "../../api/startable.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Logger } from "../../kube/logger.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import { type Controller, createController } from "../../kube/reconciler/reconciler.ts";
import type { Store } from "../../kube/reflector/store.ts";
import type { LinkViews } from "../link/link-view.ts";
import type { OwnClusterCaches } from "../own-cluster/caches.ts";
import { Damper } from "./damper.ts";
import { Ledger, type SkippedSource, type Tally } from "./ledger.ts";
import type { MirrorMetrics } from "./metrics.ts";
import { MirrorReconciler, STRAYS } from "./mirror-reconciler.ts";
import { OwnObjects, type Purpose, purposeOf } from "./mirror-writer/own-objects.ts";
import type { Skip } from "./plan/policies.ts";
import { PortAllocator, portOwner } from "./port-allocator.ts";
import { RepairGuard } from "../object-writer/repair-guard.ts";
import { Reporter } from "./reporter.ts";
import { Triggers } from "./triggers.ts";

/** Reconciles at the same time, of which one link has half at most. */
const CONCURRENCY = 8;

export interface MirrorControllerOptions {
  client: KubeClient;
  /** Synced before the start. */
  caches: OwnClusterCaches;
  links: LinkViews;
  /** The Links of the install namespace; synced before the start, so that absence means a Link is gone. */
  linkObjects: Store<Link>;
  events: Pick<EventRecorder, "record">;
  /** Name of this cluster among its peers. */
  ownClusterName: string;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: MirrorMetrics;
  kubeMetrics?: KubeMetrics;
}

/** Keeps a mirror for each Service that linked clusters export to this one. */
export interface MirrorController extends Startable {
  /** The source, its endpoints or its export changed. */
  enqueueService(link: string, sourceKey: string): void;
  /** The link changed in a way that concerns all its mirrors. */
  enqueueLink(link: string): void;
  tally(link: string): Tally;
  /** Sources that ask for a mirror and have none, with the reason. */
  skips(link: string): SkippedSource[];
  /** Why one source that asks for a mirror has none. */
  skipOf(link: string, sourceKey: string): Skip | undefined;
  /** The mirror Service that stands for a source. */
  mirrorOf(link: string, sourceKey: string): Service | undefined;
  /**
   * Calls `listener` whenever a link's tally has changed, or `hasObjects` has
   * become false; returns how to end that.
   */
  onTally(listener: (link: string) => void): () => void;
  /** Whether the caches still hold an object of ours for that link that was not deleted. */
  hasObjects(link: string): boolean;
}

/** Makes the controller of all mirrors. It writes between start and stop only. */
export function createMirrorController(options: MirrorControllerOptions): MirrorController {
  return new Mirrors(options);
}

class Mirrors implements MirrorController {
  readonly #links: LinkViews;
  readonly #own: OwnObjects;
  readonly #allocator = new PortAllocator();
  readonly #ledger: Ledger;
  readonly #controller: Controller;
  #started = false;

  constructor(options: MirrorControllerOptions) {
    const { caches, links, metrics } = options;
    this.#links = links;
    this.#own = new OwnObjects(caches);
    this.#ledger = new Ledger(metrics);
    // Ahead of the triggers: what they ask for reads the table.
    this.#trackPorts(caches.services.store);
    this.#trackPins(caches.endpointSlices);
    this.#own.onChange(({ before }) => {
      const link = purposeOf(before)?.link;
      if (link !== undefined && !this.hasObjects(link)) this.#ledger.notify(link);
    });
    const triggers = new Triggers({
      links,
      own: this.#own,
      caches,
      enqueue: (purpose) => this.#enqueue(purpose),
    });
    const reconciler = new MirrorReconciler({
      sources: {
        caches,
        own: this.#own,
        links,
        linkObjects: options.linkObjects,
        allocator: this.#allocator,
        ownClusterName: options.ownClusterName,
        gateways: () => triggers.gateways(),
      },
      client: options.client,
      ledger: this.#ledger,
      reporter: new Reporter(options.events, this.#ledger),
      repairs: new RepairGuard(options.clock, options.random),
      damper: new Damper(options.clock),
      metrics,
      nameChanged: (mirrorKey) => triggers.nameChanged(mirrorKey),
    });
    this.#controller = createController({
      name: "mirror",
      reconcile: async ({ group, key }, context) =>
        await reconciler.reconcile({ link: group, sourceKey: key }, context),
      concurrency: CONCURRENCY,
      clock: options.clock,
      random: options.random,
      logger: options.logger,
      ...(options.kubeMetrics && { metrics: options.kubeMetrics }),
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#controller.start(signal);
    this.#started = true;
    const names = this.#links.list().map(({ name }) => name);
    for (const link of new Set([...names, ...this.#own.links()])) this.enqueueLink(link);
  }

  async stop(): Promise<void> {
    await this.#controller.stop();
  }

  enqueueService(link: string, sourceKey: string): void {
    this.#enqueue({ link, sourceKey });
  }

  enqueueLink(link: string): void {
    const remote = this.#links.get(link)?.remote;
    const sourceKeys = new Set([
      ...(remote?.services.keys() ?? []),
      ...this.#own.sourcesOf(link),
      ...this.#ledger.sourcesOf(link),
      STRAYS,
    ]);
    for (const sourceKey of sourceKeys) this.#enqueue({ link, sourceKey });
  }

  tally(link: string): Tally {
    return this.#ledger.tally(link);
  }

  skips(link: string): SkippedSource[] {
    return this.#ledger.skips(link);
  }

  skipOf(link: string, sourceKey: string): Skip | undefined {
    return this.#ledger.skipOf(link, sourceKey);
  }

  mirrorOf(link: string, sourceKey: string): Service | undefined {
    const mirrors = this.#own.mirrorsOf(link, sourceKey);
    return mirrors.find(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  onTally(listener: (link: string) => void): () => void {
    return this.#ledger.onTally(listener);
  }

  hasObjects(link: string): boolean {
    return this.#own.hasObjects(link);
  }

  /** A standby only follows; the start looks at everything. */
  #enqueue({ link, sourceKey }: Purpose): void {
    if (!this.#started) return;
    const urgent = this.#isToClose({ link, sourceKey });
    this.#controller.enqueue({ group: link, key: sourceKey, urgent });
  }

  /** Whether a mirror that says it is open has no right to: that comes before all else of its link. */
  #isToClose({ link, sourceKey }: Purpose): boolean {
    const view = this.#links.get(link);
    if (view === undefined) return false;
    const mayBeOpen = view.open && (view.remote?.hasReadyEndpoint(sourceKey) ?? true);
    return !mayBeOpen && this.#own.mirrorsOf(link, sourceKey).some(saysOpen);
  }

  /** The mirror Services in the cache are the table of ports. */
  #trackPorts(services: Store<Service>): void {
    const store = (service: Service): void => {
      const purpose = purposeOf(service);
      if (purpose) this.#allocator.store(keyOf(service), portOwner(purpose), service);
    };
    for (const service of services.list()) store(service);
    this.#own.onChange(({ resource, key, before, after }) => {
      if (resource !== RESOURCES.services) return;
      if (after && isOurs(after)) store(after);
      else if (before && isOurs(before)) this.#allocator.unstore(key);
    });
  }

  /** What failover slices name is taken, too. */
  #trackPins(cache: OwnClusterCaches["endpointSlices"]): void {
    const pin = (slice: EndpointSlice): void => {
      const source = failingOverBy(slice) === undefined ? undefined : sourceOf(slice);
      if (source) this.#allocator.pin(keyOf(slice), formatSource(source), portsOf(slice));
    };
    for (const slice of cache.store.list()) pin(slice);
    cache.onEvent(({ key, previous, ...event }) => {
      if (previous !== undefined) this.#allocator.unpin(key, portsOf(previous));
      if (event.type === "apply") pin(event.object);
    });
  }
}

function portsOf({ ports }: EndpointSlice): number[] {
  return (ports ?? []).map(({ port }) => port).filter((port) => port !== undefined);
}

function saysOpen({ metadata }: Service): boolean {
  return metadata.annotations?.[ANNOTATIONS.state] === "open";
}
