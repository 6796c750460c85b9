import { isDeepStrictEqual } from "node:util";
import type { Counter } from "prom-client";
import { ANNOTATIONS, CONTROLLER_FIELD_MANAGER, LABELS } from "../../api/names.ts";
import { type KubeObject, keyOf } from "../../api/objects.ts";
import { isOurs } from "../../api/ownership.ts";
import { REASONS } from "../../api/reasons.ts";
import { apiVersionOf, type Resource, RESOURCES } from "../../api/resources.ts";
import { isApiError } from "../../kube/client/api-error.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { resourcePath } from "../../kube/client/resource-path.ts";
import { differs, hasLeftovers } from "./differences.ts";
import { consolidated } from "./field-ownership.ts";
import { toWriteFailure, WriteFailure } from "./write-failure.ts";

/** Counts what is written. */
export interface WriteMetrics {
  readonly writes: Counter<"resource" | "verb">;
}

/** An object as the API server has it now, and what we did for that. */
export interface Written<T> {
  readonly object: T;
  readonly done: "created" | "updated" | "nothing";
}

/**
 * Writes objects of ours and never those of others: made with POST, changed
 * with server-side apply under their uid, deleted under uid and version.
 */
export class ObjectWriter {
  readonly #client: KubeClient;
  readonly #metrics: WriteMetrics;
  /** By uid, what we applied: the cache may be behind it. */
  readonly #applied = new Map<string, KubeObject>();

  constructor(client: KubeClient, metrics: WriteMetrics) {
    this.#client = client;
    this.#metrics = metrics;
  }

  /**
   * Makes the API server's object the desired one; writes nothing when it is.
   *
   * @param actual the object as the cache has it; it must be ours
   * @throws WriteFailure when a person has to mend something, ApiError with
   *   reason Conflict when the object changed meanwhile
   */
  async ensure<T extends KubeObject>(
    resource: Resource,
    desired: T,
    actual: T | undefined,
    signal: AbortSignal,
  ): Promise<Written<T>> {
    if (actual === undefined) return await this.#create(resource, desired, signal);
    const known = this.#newest(actual);
    if (!differs(resource, desired, known)) return { object: known, done: "nothing" };
    return await this.#guard("patch", resource, desired, async () => {
      if (hasLeftovers(resource, desired, known)) {
        await this.#consolidate(resource, known, signal);
      }
      const { uid } = known.metadata;
      if (uid === undefined) throw new TypeError(`${keyOf(known)} has no uid`);
      const object = await this.#client.apply<T>(
        resource,
        { ...desired, metadata: { ...desired.metadata, uid } },
        { fieldManager: CONTROLLER_FIELD_MANAGER, force: true, signal },
      );
      this.#applied.set(uid, object);
      this.#metrics.writes.inc({ resource: resource.plural, verb: "apply" });
      return { object, done: "updated" };
    });
  }

  /** The cache has lost the object with that uid. */
  forget(uid: string): void {
    this.#applied.delete(uid);
  }

  /** Makes a new object that nobody owns afterwards, such as a namespace; one that exists is fine. */
  async createUnowned(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<void> {
    try {
      await this.#guard("create", resource, object, async () => {
        await this.#post(resource, object, signal);
      });
    } catch (error) {
      if (!isApiError(error, "AlreadyExists")) throw error;
    }
  }

  /**
   * Deletes an object of ours as it was seen.
   *
   * @throws ApiError with reason Conflict when it is another one or changed since
   */
  async remove(resource: Resource, object: KubeObject, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid, resourceVersion } = object.metadata;
    if (!isOurs(object) || uid === undefined) return;
    await this.#guard("delete", resource, object, async () => {
      await this.#client.remove(
        resource,
        { name, ...(namespace !== undefined && { namespace }) },
        { uid, ...(resourceVersion !== undefined && { resourceVersion }), signal },
      );
      this.#metrics.writes.inc({ resource: resource.plural, verb: "delete" });
    });
  }

  async #create<T extends KubeObject>(
    resource: Resource,
    desired: T,
    signal: AbortSignal,
  ): Promise<Written<T>> {
    try {
      const object = await this.#guard(
        "create",
        resource,
        desired,
        async () => await this.#post(resource, desired, signal),
      );
      return { object, done: "created" };
    } catch (error) {
      if (!isApiError(error, "AlreadyExists")) throw error;
      const live = await this.#client.find<T>(resource, nameOf(desired), { signal });
      if (live === undefined) throw error;
      if (!isOurs(live)) throw collision(resource, live, error);
      // Made by us a moment ago, and not in the cache yet.
      if (isSamePurpose(live, desired)) return await this.ensure(resource, desired, live, signal);
      throw error;
    }
  }

  /** Resource versions of one object compare as numbers (KEP-5504). */
  #newest<T extends KubeObject>(actual: T): T {
    const { uid = "", resourceVersion = "0" } = actual.metadata;
    const applied = this.#applied.get(uid);
    if (applied === undefined) return actual;
    if (BigInt(applied.metadata.resourceVersion ?? "0") > BigInt(resourceVersion)) {
      return { ...actual, ...applied };
    }
    this.#applied.delete(uid);
    return actual;
  }

  async #post<T extends KubeObject>(
    resource: Resource,
    object: T,
    signal: AbortSignal,
  ): Promise<T> {
    const { namespace } = object.metadata;
    const created = await this.#client.request<T>({
      method: "POST",
      path: resourcePath(resource, { ...(namespace !== undefined && { namespace }) }),
      query: { fieldManager: CONTROLLER_FIELD_MANAGER },
      body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object },
      signal,
    });
    this.#metrics.writes.inc({ resource: resource.plural, verb: "create" });
    return created;
  }

  async #consolidate(resource: Resource, actual: KubeObject, signal: AbortSignal): Promise<void> {
    const { uid, resourceVersion, managedFields = [] } = actual.metadata;
    await this.#client.patch(
      resource,
      nameOf(actual),
      [
        { op: "test", path: "/metadata/uid", value: uid },
        { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
        { op: "replace", path: "/metadata/managedFields", value: consolidated(managedFields) },
      ],
      { type: "json", fieldManager: CONTROLLER_FIELD_MANAGER, signal },
    );
    this.#metrics.writes.inc({ resource: resource.plural, verb: "patch" });
  }

  async #guard<R>(
    verb: string,
    resource: Resource,
    object: KubeObject,
    write: () => Promise<R>,
  ): Promise<R> {
    try {
      return await write();
    } catch (error) {
      throw toWriteFailure(error, verb, resource, keyOf(object));
    }
  }
}

function nameOf({ metadata }: KubeObject): { name: string; namespace?: string } {
  const { name, namespace } = metadata;
  return { name, ...(namespace !== undefined && { namespace }) };
}

function isSamePurpose(live: KubeObject, desired: KubeObject): boolean {
  const [left, right] = [live, desired].map(({ metadata }) => [
    metadata.labels?.[LABELS.link],
    metadata.annotations?.[ANNOTATIONS.source],
    metadata.ownerReferences?.[0]?.uid,
  ]);
  return isDeepStrictEqual(left, right);
}

function collision(resource: Resource, live: KubeObject, cause: unknown): WriteFailure {
  const what = `${resource.kind} ${keyOf(live)}`;
  const wasOurs = (live.metadata.managedFields ?? []).some(
    ({ manager }) => manager === CONTROLLER_FIELD_MANAGER,
  );
  return wasOurs
    ? new WriteFailure(
        REASONS.OwnershipLost,
        `${what} was ours and has lost its isthmus labels, so it is left alone; delete it, or put the labels back.`,
        { cause },
      )
    : new WriteFailure(
        REASONS.NameTaken,
        `${what} exists and is not ours, so it is left alone; rename or delete it${
          resource === RESOURCES.services
            ? ", or change spec.mirror.nameTemplate of the Link."
            : "."
        }`,
        { cause },
      );
}
