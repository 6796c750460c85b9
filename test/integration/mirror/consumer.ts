import { Registry } from "prom-client";
import { type Clock, systemClock } from "../../../api/clock.ts";
import { ANNOTATIONS, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { createOwnClusterCaches } from "../../../controller/own-cluster/caches.ts";
import { declareMirrorMetrics, type MirrorMetrics } from "../../../controller/mirror/metrics.ts";
import {
  createMirrorController,
  type MirrorController,
} from "../../../controller/mirror/mirror.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { EventRecorder, type KubeEvent } from "../../../kube/events.ts";
import { createLogger } from "../../../kube/logger.ts";
import { poll } from "../../bed/poll.ts";
import type { ConsumerCluster } from "./consumer-cluster.ts";
import { exported, type HandLink, HandLinks } from "./hand-links.ts";

/** A controller of mirrors at work on a consumer cluster, with links that the test moves by hand. */
export class Consumer {
  readonly admin: KubeClient;
  readonly links = new HandLinks();
  /** Where the test's Services are. */
  readonly namespace: string;
  readonly mirrors: MirrorController;
  readonly #client: KubeClient;
  readonly #caches: ReturnType<typeof createOwnClusterCaches>;
  readonly #events: EventRecorder;
  readonly #metrics: MirrorMetrics;
  readonly #stopping = new AbortController();

  /** Called before each POST of the controller with its path: what happens between its look and its write. */
  beforeCreate: (path: string) => Promise<void> = async () => {};

  /** Called before each deletion of the controller; what it throws is the API server's answer. */
  beforeRemove: (resource: Resource) => Promise<void> = async () => {};

  /** Called before each event of a watch is passed on: how late a cache is. */
  beforeWatchEvent: (resource: Resource) => Promise<void> = async () => {};

  private constructor(admin: KubeClient, realClient: KubeClient, namespace: string, clock: Clock) {
    this.admin = admin;
    this.namespace = namespace;
    const client = this.#intercept(realClient);
    this.#client = client;
    const logger = createLogger({ name: "test", level: "silent" });
    const shared = { clock, random: Math.random, logger };
    this.#metrics = declareMirrorMetrics(new Registry());
    this.#caches = createOwnClusterCaches({ client, ...shared });
    this.#events = new EventRecorder({
      client,
      reportingController: "isthmus.dev/isthmus-controller",
      reportingInstance: "test",
      ...shared,
    });
    this.mirrors = createMirrorController({
      client,
      caches: this.#caches,
      links: this.links,
      linkObjects: this.links.objects,
      events: this.#events,
      ownClusterName: "east",
      metrics: this.#metrics,
      ...shared,
    });
    this.links.connect(this.mirrors);
  }

  /** A controller whose caches are complete, and which does not lead yet. */
  static async start(
    cluster: ConsumerCluster,
    namespace: string,
    clock = systemClock,
  ): Promise<Consumer> {
    const client = await cluster.controllerClient();
    const consumer = new Consumer(cluster.admin, client, namespace, clock);
    const { signal } = consumer.#stopping;
    const caches = Object.values(consumer.#caches);
    await Promise.all(caches.map(async (cache) => await cache.start(signal)));
    await Promise.all(caches.map(async (cache) => await cache.waitForSync(signal)));
    return consumer;
  }

  /** Lets the controller begin; until then it only follows. */
  async lead(): Promise<this> {
    await this.mirrors.start(this.#stopping.signal);
    return this;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.mirrors.stop();
    await Promise.all(Object.values(this.#caches).map(async (cache) => await cache.stop()));
    await this.#client.close();
  }

  /** Deletes the Links, so that the next test finds none of their mirrors. */
  async clear(): Promise<void> {
    const links = this.links.list().map(({ name }) => name);
    for (const link of links) this.links.remove(link);
    await poll(
      "mirrors gone",
      () => {
        const left = links.filter((link) => this.mirrors.hasObjects(link));
        if (left.length > 0) throw new Error(left.join(", "));
        return true;
      },
      { timeoutMs: 15_000 },
    );
  }

  /** Writes the controller made so far, by `verb resource`. */
  async writes(): Promise<Record<string, number>> {
    const { values } = await this.#metrics.writes.get();
    return Object.fromEntries(
      values.map(({ labels, value }) => [`${labels.verb ?? ""} ${labels.resource ?? ""}`, value]),
    );
  }

  /** Events on this Link. */
  async events(link: HandLink): Promise<KubeEvent[]> {
    await this.#events.flush();
    const page = await this.admin.list<KubeEvent>(RESOURCES.events, {
      namespace: INSTALL_NAMESPACE,
    });
    return page.items.filter(({ regarding }) => regarding?.uid === link.view.metadata.uid);
  }

  /** Waits for an Event on the Link with this reason. */
  async event(link: HandLink, reason: string): Promise<KubeEvent> {
    return await poll(
      `Event ${reason} on Link ${link.view.name}`,
      async () => (await this.events(link)).find((event) => event.reason === reason),
      { timeoutMs: 15_000 },
    );
  }

  async find<T extends KubeObject>(
    resource: Resource,
    name: string,
    namespace = this.namespace,
  ): Promise<T | undefined> {
    return await this.admin.find<T>(resource, { name, namespace });
  }

  /** Waits until the object exists and satisfies `check`. */
  async sees<T extends KubeObject>(
    resource: Resource,
    name: string,
    check: (object: T) => boolean = () => true,
    namespace = this.namespace,
  ): Promise<T> {
    let last: T | undefined;
    try {
      return await poll<T>(
        `${resource.kind} ${name}`,
        async () => {
          last = await this.find<T>(resource, name, namespace);
          return last !== undefined && check(last) ? last : undefined;
        },
        { timeoutMs: 15_000 },
      );
    } catch (error) {
      throw new Error(`${resource.kind} ${name} stayed as ${JSON.stringify(last)}`, {
        cause: error,
      });
    }
  }

  /** Waits until the object is gone. */
  async misses(resource: Resource, name: string, namespace = this.namespace): Promise<void> {
    await poll(
      `${resource.kind} ${name} gone`,
      async () => (await this.find(resource, name, namespace)) === undefined,
      { timeoutMs: 15_000 },
    );
  }

  /** Waits until the controller has decided about every source that was moved so far. */
  async settles(link: string, tally: { mirrored: number; skipped: number }): Promise<void> {
    const wanted = JSON.stringify(tally);
    await poll(
      `tally ${wanted} of Link ${link}`,
      () => {
        const seen = JSON.stringify(this.mirrors.tally(link));
        if (seen !== wanted) throw new Error(seen);
        return true;
      },
      { timeoutMs: 15_000 },
    );
  }

  /** Changes an object as a person with kubectl would. */
  async edits(resource: Resource, name: string, body: unknown): Promise<void> {
    const { namespace } = this;
    await this.admin.patch(resource, { namespace, name }, body, {
      type: "merge",
      fieldManager: "kubectl-edit",
    });
  }

  async *#passOn<E>(resource: Resource, events: AsyncIterable<E>): AsyncGenerator<E> {
    for await (const event of events) {
      await this.beforeWatchEvent(resource);
      yield event;
    }
  }

  #intercept(client: KubeClient): KubeClient {
    const request: KubeClient["request"] = async (init) => {
      if (init.method === "POST") await this.beforeCreate(init.path);
      return await client.request(init);
    };
    return {
      server: client.server,
      get: async (...call) => await client.get(...call),
      find: async (...call) => await client.find(...call),
      list: async (...call) => await client.list(...call),
      create: async (...call) => await client.create(...call),
      apply: async (...call) => await client.apply(...call),
      patch: async (...call) => await client.patch(...call),
      replace: async (...call) => await client.replace(...call),
      remove: async (...call) => {
        await this.beforeRemove(call[0]);
        return await client.remove(...call);
      },
      watch: (...call) => this.#passOn(call[0], client.watch(...call)),
      close: async () => await client.close(),
      request,
    };
  }

  /** Exports a Service through the link and waits until its mirror is open. */
  async opensMirror(link: HandLink, name: string, namespace = this.namespace): Promise<Service> {
    link.put(exported(namespace, name));
    return await this.sees<Service>(
      RESOURCES.services,
      `${name}-${link.view.clusterName}`,
      isOpen,
      namespace,
    );
  }
}

/** Whether a mirror says that it takes traffic. */
export function isOpen({ metadata }: Service): boolean {
  return metadata.annotations?.[ANNOTATIONS.state] === "open";
}
