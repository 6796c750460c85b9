import type { Clock, Random } from "../../../api/clock.ts";
import { asksForExport } from "../../../api/export.ts";
import { GATEWAY_NAME, INSTALL_NAMESPACE } from "../../../api/names.ts";
import { keyOf, type KubeObject, type Service, splitKey } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { Startable } from "../../../api/startable.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { Logger } from "../../../kube/logger.ts";
import type { KubeMetrics } from "../../../kube/metrics.ts";
import {
  NamespacedCache,
  type NamespacePart,
  type NamespaceReading,
} from "../../../kube/reflector/namespaced-cache.ts";
import type { ObjectCache } from "../../../kube/reflector/object-cache.ts";
import { Reflector, type ReflectorOptions } from "../../../kube/reflector/reflector.ts";
import { EndpointIndex, type SliceSummary, summariseSlice } from "../../endpoint-index.ts";
import { GATEWAY_SERVICE_KEY } from "../gateway-target.ts";
import type { RemoteView } from "../link-view.ts";
import type { TimedFailure, WatchObservation } from "./api-observation.ts";

export interface ProviderWatchesOptions {
  linkName: string;
  client: KubeClient;
  /** The only namespaces of the provider to read; undefined: all. */
  namespaces: readonly string[] | undefined;
  idleDeadlineMs: number;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: KubeMetrics;
  /** Makes a failure out of an error, given the one before. */
  failureOf: (error: unknown, before: TimedFailure | undefined) => TimedFailure;
  /** An exported Service, or whether it has a ready endpoint, changed. */
  onServiceChanged: (key: string) => void;
  /** What the watches have to say of themselves changed. */
  onChanged: () => void;
  /** A watch has failed. */
  onFailure: () => void;
}

/** One watch; `namespace` is that of a part, undefined where the whole cluster is watched. */
interface Watch {
  readonly namespace: string | undefined;
  readonly reflector: Pick<Reflector<KubeObject>, "synced" | "lastByteAtMs">;
  failure: TimedFailure | undefined;
}

/**
 * The watches of what a provider exports: one of each kind for the whole
 * cluster, or one in each namespace where only some may or need to be read. A
 * namespace that is denied counts against the link only when all of them are.
 */
export class ProviderWatches implements Startable {
  readonly namespaces: readonly string[] | undefined;
  readonly #options: ProviderWatchesOptions;
  readonly #services: ObjectCache<Service>;
  readonly #slices: ObjectCache<SliceSummary>;
  readonly #parted: readonly Pick<NamespacedCache<KubeObject>, "readingOf">[];
  readonly #endpoints = new EndpointIndex();
  readonly #watches: Watch[] = [];
  #view: RemoteView;
  #readings = "";

  constructor(options: ProviderWatchesOptions) {
    this.#options = options;
    const { linkName, client, clock, random, logger, metrics, idleDeadlineMs, namespaces } =
      options;
    this.namespaces = namespaces;
    const shared = { client, clock, random, logger, metrics, idleDeadlineMs };
    const ofServices = {
      ...shared,
      resource: RESOURCES.services,
      name: `${linkName}/services`,
      transform: keepService,
    };
    const ofSlices = {
      ...shared,
      resource: RESOURCES.endpointSlices,
      name: `${linkName}/endpointslices`,
      transform: summariseSlice,
    };
    if (namespaces === undefined) {
      this.#services = this.#watchAll<Service>(ofServices);
      this.#slices = this.#watchAll<SliceSummary>(ofSlices);
      this.#parted = [];
    } else {
      const parts = namespaces.map((namespace) => ({ namespace }));
      // RBAC grants list and watch of one name only with this selector.
      const fieldSelector = `metadata.name=${GATEWAY_NAME}`;
      const gateway = { namespace: INSTALL_NAMESPACE, fieldSelector, required: true };
      const services = this.#watchParts<Service>(ofServices, [...parts, gateway]);
      const slices = this.#watchParts<SliceSummary>(ofSlices, parts);
      this.#services = services;
      this.#slices = slices;
      this.#parted = [services, slices];
      for (const cache of [services, slices]) cache.onReading(() => this.#noteReadings());
    }
    this.#view = this.#newView();
    this.#services.onEvent(({ key }) => {
      options.onServiceChanged(key);
      if (key === GATEWAY_SERVICE_KEY) options.onChanged();
    });
    this.#slices.onEvent((event) => {
      for (const key of this.#endpoints.apply(event)) options.onServiceChanged(key);
    });
  }

  /** Whether everything that may be read was listed. */
  get synced(): boolean {
    return this.#services.synced && this.#slices.synced;
  }

  /** The provider as the mirrors see it: another object whenever a namespace became readable, or denied. */
  get view(): RemoteView {
    return this.#view;
  }

  /** The gateway Service; undefined where there is none. */
  get gatewayService(): Service | undefined {
    return this.#services.store.get(GATEWAY_SERVICE_KEY);
  }

  /** Whether {@link gatewayService} is known. */
  get gatewayListed(): boolean {
    return this.#services.synced;
  }

  /** The namespaces that the provider denies. */
  get deniedNamespaces(): string[] {
    return (this.namespaces ?? []).filter((name) => this.#readingOf(name) === "denied");
  }

  /** What the watches have shown that counts for the link. */
  get observations(): WatchObservation[] {
    const denied = new Set(this.deniedNamespaces);
    const isLost = denied.size > 0 && denied.size === this.namespaces?.length;
    return this.#watches
      .filter(({ namespace }) => isLost || namespace === undefined || !denied.has(namespace))
      .map(({ namespace, reflector, failure }) => ({
        synced: reflector.synced,
        lastByteAtMs: reflector.lastByteAtMs,
        // One namespace says no: whether that lasts is seen a moment later.
        failure:
          isLost || namespace === undefined || failure?.kind !== "denied" ? failure : undefined,
      }));
  }

  async start(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#services.start(signal), this.#slices.start(signal)]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#services.stop(), this.#slices.stop()]);
  }

  #watchAll<T extends KubeObject>(options: ReflectorOptions<T>): Reflector<T> {
    const reflector = new Reflector<T>(options);
    this.#observe(undefined, reflector);
    return reflector;
  }

  #watchParts<T extends KubeObject>(
    options: ReflectorOptions<T>,
    parts: readonly NamespacePart[],
  ): NamespacedCache<T> {
    const cache = new NamespacedCache<T>({ ...options, parts });
    for (const [namespace, reflector] of cache.reflectors) {
      this.#observe(namespace === INSTALL_NAMESPACE ? undefined : namespace, reflector);
    }
    return cache;
  }

  #observe(
    namespace: string | undefined,
    reflector: Watch["reflector"] & Pick<Reflector<KubeObject>, "onState">,
  ): void {
    const { failureOf, onChanged, onFailure } = this.#options;
    const watch: Watch = { namespace, reflector, failure: undefined };
    this.#watches.push(watch);
    reflector.onState((state, error) => {
      if (state === "watching") {
        watch.failure = undefined;
      } else if (error !== undefined) {
        watch.failure = failureOf(error, watch.failure);
        onFailure();
      }
      onChanged();
    });
  }

  #readingOf(namespace: string): NamespaceReading {
    const readings = this.#parted.map((cache) => cache.readingOf(namespace));
    return (["denied", "pending"] as const).find((each) => readings.includes(each)) ?? "readable";
  }

  #newView(): RemoteView {
    const readings = new Map(
      this.namespaces?.map((namespace) => [namespace, this.#readingOf(namespace)]),
    );
    return {
      services: this.#services.store,
      hasReadyEndpoint: (key) => this.#endpoints.has(key),
      ...(this.namespaces !== undefined && {
        readingOf: (key) => readings.get(splitKey(key).namespace ?? "") ?? "outside",
      }),
    };
  }

  #noteReadings(): void {
    const readings = JSON.stringify(this.namespaces?.map((name) => this.#readingOf(name)));
    if (readings === this.#readings) return;
    this.#readings = readings;
    this.#view = this.#newView();
    this.#options.onChanged();
  }
}

/** Exported Services and the provider's gateway; nothing else is kept, and no managed fields. */
function keepService(raw: KubeObject): Service | undefined {
  const service: Service = raw;
  if (!asksForExport(service) && keyOf(service) !== GATEWAY_SERVICE_KEY) return undefined;
  const { managedFields: _dropped, ...metadata } = service.metadata;
  return { ...service, metadata };
}
