import { type KubeObject, keyOf, type Service } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { REASONS } from "../../../api/reasons.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import type { OwnClusterCaches } from "../../own-cluster/caches.ts";
import { mirrorEndpoints, mirrorSlices } from "../plan/desired.ts";
import type { GatewayPod } from "../../own-cluster/gateway-pods.ts";
import type { ObjectWriter, Written } from "../../object-writer/object-writer.ts";
import { type OwnObject, type OwnObjects, type Purpose, purposeOf } from "./own-objects.ts";
import type { DesiredMirror } from "../plan/plan.ts";
import { WriteFailure } from "../../object-writer/write-failure.ts";

/** What is needed besides the mirror to write it. */
export interface WriteContext {
  readonly purpose: Purpose;
  readonly gateways: readonly GatewayPod[];
  readonly signal: AbortSignal;
}

/** A mirror that is what it should be, and what we did for that. */
export interface EnsuredMirror {
  readonly service: Service;
  readonly created: boolean;
  /** Whether anything at all was written. */
  readonly changed: boolean;
}

/** What became of objects that are not wanted. */
export interface Removal {
  /** The Services that were deleted. */
  readonly services: readonly Service[];
  /** Deleted before, and kept by finalizers: those are never ours. */
  readonly blocked: readonly OwnObject[];
  /** Why others could not be deleted: errors as the client throws them, or a WriteFailure. */
  readonly failures: readonly unknown[];
}

/** Carries out plans: a mirror Service with its EndpointSlices and Endpoints, or none of them. */
export class MirrorWriter {
  readonly #writer: ObjectWriter;
  readonly #caches: Pick<OwnClusterCaches, "services" | "endpointSlices" | "endpoints">;
  readonly #own: OwnObjects;
  readonly #isWantedElsewhere: (object: OwnObject, purpose: Purpose) => boolean;
  /** Deleted, and in the cache still. */
  readonly #removed = new Set<string>();
  /** By source, a mirror Service that somebody else deleted. */
  readonly #lost = new Map<string, Service>();

  /**
   * @param options.isWantedElsewhere whether an object belongs to the mirror of
   *   another source of the same link, whatever its annotation says
   */
  constructor(options: {
    writer: ObjectWriter;
    caches: Pick<OwnClusterCaches, "services" | "endpointSlices" | "endpoints">;
    own: OwnObjects;
    isWantedElsewhere: (object: OwnObject, purpose: Purpose) => boolean;
  }) {
    this.#writer = options.writer;
    this.#caches = options.caches;
    this.#own = options.own;
    this.#isWantedElsewhere = options.isWantedElsewhere;
    this.#own.onChange(({ resource, before, after }) => {
      if (resource === RESOURCES.services) this.#noteLoss(before, after);
      const uid = before?.metadata.uid;
      if (uid === undefined || after?.metadata.uid === uid) return;
      this.#removed.delete(uid);
      this.#writer.forget(uid);
    });
  }

  /**
   * Makes the mirror what it should be.
   *
   * @throws WriteFailure, and whatever the client throws
   */
  async ensure(mirror: DesiredMirror, context: WriteContext): Promise<EnsuredMirror> {
    const cached = this.#caches.services.store.get(keyOf(mirror.service));
    const actual = cached && isOurs(cached) ? cached : undefined;
    // First what the egress gateways go by: they refuse for a closed mirror.
    const { object, done } = await this.#ensureService(mirror.service, actual, context.signal);
    const changed = await this.#ensureChildren(mirror, object, context);
    return {
      service: object,
      created: done === "created",
      changed: changed || done !== "nothing",
    };
  }

  /** Removes what else of ours stands for the source besides `mirror`. */
  async removeOthers(mirror: Service | undefined, context: WriteContext): Promise<Removal> {
    const kept = new Set<string>();
    if (mirror !== undefined) {
      const key = keyOf(mirror);
      const live = this.#caches.services.store.get(key) ?? mirror;
      kept.add(`Service ${key}`);
      kept.add(`Endpoints ${key}`);
      for (const slice of this.#slicesOf({ service: mirror, live, context })) {
        kept.add(`EndpointSlice ${keyOf(slice)}`);
      }
    }
    const { link, sourceKey } = context.purpose;
    const others = this.#own
      .objectsOf(link, sourceKey)
      .filter(({ resource, object }) => !kept.has(`${resource.kind} ${keyOf(object)}`))
      .toSorted((left, right) => removalRank(left) - removalRank(right));
    const [services, blocked, failures]: [Service[], OwnObject[], unknown[]] = [[], [], []];
    for (const other of others) {
      if (this.#isWantedElsewhere(other, context.purpose)) continue;
      const { resource, object } = other;
      const hasFinalizers = (object.metadata.finalizers ?? []).length > 0;
      if (hasFinalizers && object.metadata.deletionTimestamp !== undefined) blocked.push(other);
      try {
        const isDeleted = await this.#remove(resource, object, context.signal);
        if (isDeleted && !hasFinalizers && resource === RESOURCES.services) services.push(object);
      } catch (error) {
        // The rest is removed all the same.
        context.signal.throwIfAborted();
        failures.push(error);
      }
    }
    return { services, blocked, failures };
  }

  /** The mirror Service of that source that somebody else deleted, as it was. */
  lost({ link, sourceKey }: Purpose): Service | undefined {
    return this.#lost.get(`${link} ${sourceKey}`);
  }

  /** No mirror of that source is wanted: the one that was deleted is not missed. */
  forgetLost({ link, sourceKey }: Purpose): void {
    this.#lost.delete(`${link} ${sourceKey}`);
  }

  async createNamespace(name: string, annotations: Record<string, string>, signal: AbortSignal) {
    const namespace = { metadata: { name, annotations } };
    await this.#writer.createUnowned(RESOURCES.namespaces, namespace, signal);
  }

  async #ensureService(
    desired: Service,
    actual: Service | undefined,
    signal: AbortSignal,
  ): Promise<Written<Service>> {
    try {
      return await this.#writer.ensure(RESOURCES.services, desired, actual, signal);
    } catch (error) {
      const policy = desired.spec?.ipFamilyPolicy;
      const rejected = error instanceof WriteFailure && error.reason === REASONS.WriteRejected;
      if (actual !== undefined || !rejected || policy === undefined || policy === "SingleStack") {
        throw error;
      }
      // A cluster with one family rejects RequireDualStack.
      const single = { ...desired, spec: { ...desired.spec, ipFamilyPolicy: "SingleStack" } };
      return await this.#writer.ensure(RESOURCES.services, single, undefined, signal);
    }
  }

  async #ensureChildren(
    { service, status }: DesiredMirror,
    live: Service,
    context: WriteContext,
  ): Promise<boolean> {
    const { gateways, signal } = context;
    let changed = false;
    const mirror = withChosen(service, live);
    const { endpointSlices, endpoints } = this.#caches;
    for (const slice of mirrorSlices(mirror, status, gateways)) {
      const actual = endpointSlices.store.get(keyOf(slice));
      if (await this.#ensureChild(RESOURCES.endpointSlices, slice, actual, signal)) changed = true;
    }
    const object = mirrorEndpoints(mirror, status, gateways);
    const actual = endpoints.store.get(keyOf(object));
    return (await this.#ensureChild(RESOURCES.endpoints, object, actual, signal)) || changed;
  }

  /** Whether anything was written. */
  async #ensureChild<T extends KubeObject>(
    resource: Resource,
    desired: T,
    actual: T | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    // Of a mirror that is gone: the garbage collector is about to delete it.
    const isOrphan = actual !== undefined && ownerOf(actual) !== ownerOf(desired);
    if (isOrphan) await this.#remove(resource, actual, signal);
    const known = isOrphan ? undefined : actual;
    const { done } = await this.#writer.ensure(resource, desired, known, signal);
    return done !== "nothing";
  }

  #noteLoss(before: KubeObject | undefined, after: KubeObject | undefined): void {
    const found = purposeOf(after);
    if (found !== undefined) this.forgetLost(found);
    const purpose = purposeOf(before);
    if (before === undefined || after !== undefined || purpose === undefined) return;
    if (this.#removed.has(before.metadata.uid ?? "")) return;
    this.#lost.set(`${purpose.link} ${purpose.sourceKey}`, before);
  }

  #slicesOf(options: { service: Service; live: Service; context: WriteContext }) {
    const { service, live, context } = options;
    const status = { state: "closed", reason: REASONS.LinkNotReady, message: "" } as const;
    return mirrorSlices(withChosen(service, live), status, context.gateways);
  }

  /** Whether this call deleted it. */
  async #remove(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<boolean> {
    const { uid, deletionTimestamp } = object.metadata;
    if (uid === undefined || deletionTimestamp !== undefined || this.#removed.has(uid))
      return false;
    await this.#writer.remove(resource, object, signal);
    this.#removed.add(uid);
    return true;
  }
}

/** The desired Service with what only the API server decides. */
function withChosen(desired: Service, live: Service): Service {
  const { uid } = live.metadata;
  const ipFamilies = live.spec?.ipFamilies;
  return {
    metadata: { ...desired.metadata, ...(uid !== undefined && { uid }) },
    spec: { ...desired.spec, ...(ipFamilies && { ipFamilies }) },
  };
}

function ownerOf({ metadata }: KubeObject): string | undefined {
  return metadata.ownerReferences?.[0]?.uid;
}

/** What carries traffic goes first. */
function removalRank({ resource }: OwnObject): number {
  return resource === RESOURCES.services ? 1 : 0;
}
