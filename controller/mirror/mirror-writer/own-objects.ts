import { LABELS } from "../../../api/names.ts";
import { type KubeObject, keyOf, type Service } from "../../../api/objects.ts";
import { failingOverBy, isOurs, sourceOf } from "../../../api/ownership.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import type { ReflectorEvent, Store } from "../../../kube/reflector/store.ts";
import type { OwnClusterCaches } from "../../own-cluster/caches.ts";

/** An object of ours, with its resource. */
export interface OwnObject {
  readonly resource: Resource;
  readonly object: KubeObject;
}

/** The link and source that an object of ours says it is for; sourceKey is "" when it does not say. */
export interface Purpose {
  readonly link: string;
  readonly sourceKey: string;
}

/** A change of an object that is or was ours, or of a foreign Service. */
export interface LocalChange {
  readonly resource: Resource;
  readonly key: string;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
}

/** A cache as it is read here: what a reflector offers. */
interface Cache<T> {
  readonly store: Store<T>;
  onEvent(listener: (event: ReflectorEvent<T>) => void): () => void;
}

/** What an object is for, when it is ours and part of a mirror. */
export function purposeOf(object: KubeObject | undefined): Purpose | undefined {
  if (object === undefined || !isOurs(object)) return undefined;
  if (failingOverBy(object) !== undefined) return undefined;
  const link = object.metadata.labels?.[LABELS.link] ?? "";
  const source = sourceOf(object);
  return { link, sourceKey: source === undefined ? "" : `${source.namespace}/${source.name}` };
}

/** Key of the mirror Service that an EndpointSlice or Endpoints of ours is owned by. */
export function ownerKeyOf(child: KubeObject | undefined): string | undefined {
  const owner = child?.metadata.ownerReferences?.find(({ kind }) => kind === "Service");
  if (child === undefined || owner === undefined) return undefined;
  const { namespace } = child.metadata;
  return keyOf({ metadata: { name: owner.name, ...(namespace !== undefined && { namespace }) } });
}

/** Our objects of the own cluster's caches, by link and source. */
export class OwnObjects {
  readonly #byLink = new Map<string, Map<string, Map<string, OwnObject>>>();
  readonly #listeners = new Set<(change: LocalChange) => void>();

  constructor(caches: Pick<OwnClusterCaches, "services" | "endpointSlices" | "endpoints">) {
    this.#follow(RESOURCES.services, caches.services);
    this.#follow(RESOURCES.endpointSlices, caches.endpointSlices);
    this.#follow(RESOURCES.endpoints, caches.endpoints);
  }

  /** Calls `listener` after every change, when the index already shows it. */
  onChange(listener: (change: LocalChange) => void): void {
    this.#listeners.add(listener);
  }

  /** Names of the links that objects of ours are labelled with. */
  links(): string[] {
    return [...this.#byLink.keys()];
  }

  /** Source keys of a link's objects; "" stands for objects that do not say. */
  sourcesOf(link: string): string[] {
    return [...(this.#byLink.get(link)?.keys() ?? [])];
  }

  /** Whether a link has objects that were not deleted yet; what finalizers of others keep is none of them. */
  hasObjects(link: string): boolean {
    const sources = this.#byLink.get(link)?.values() ?? [];
    return [...sources].some((objects) =>
      [...objects.values()].some(({ object }) => object.metadata.deletionTimestamp === undefined),
    );
  }

  objectsOf(link: string, sourceKey: string): OwnObject[] {
    return [...(this.#byLink.get(link)?.get(sourceKey)?.values() ?? [])];
  }

  /** The mirror Services among them, oldest first. */
  mirrorsOf(link: string, sourceKey: string): Service[] {
    return this.objectsOf(link, sourceKey)
      .filter(({ resource }) => resource === RESOURCES.services)
      .map(({ object }) => object)
      .toSorted((left, right) => (ageKey(left) < ageKey(right) ? -1 : 1));
  }

  #follow<T extends KubeObject>(resource: Resource, cache: Cache<T>): void {
    for (const object of cache.store.list()) this.#put(resource, object);
    cache.onEvent((event) => {
      const after = event.type === "apply" ? event.object : undefined;
      const { key, previous: before } = event;
      if (before !== undefined) this.#remove(resource, before);
      if (after !== undefined) this.#put(resource, after);
      for (const listener of this.#listeners) listener({ resource, key, before, after });
    });
  }

  #put(resource: Resource, object: KubeObject): void {
    const purpose = purposeOf(object);
    if (purpose === undefined) return;
    const sources = this.#byLink.get(purpose.link) ?? new Map<string, Map<string, OwnObject>>();
    this.#byLink.set(purpose.link, sources);
    const objects = sources.get(purpose.sourceKey) ?? new Map<string, OwnObject>();
    sources.set(purpose.sourceKey, objects);
    objects.set(idOf(resource, object), { resource, object });
  }

  #remove(resource: Resource, object: KubeObject): void {
    const purpose = purposeOf(object);
    if (purpose === undefined) return;
    const sources = this.#byLink.get(purpose.link);
    const objects = sources?.get(purpose.sourceKey);
    objects?.delete(idOf(resource, object));
    if (objects?.size === 0) sources?.delete(purpose.sourceKey);
    if (sources?.size === 0) this.#byLink.delete(purpose.link);
  }
}

function idOf({ plural }: Resource, object: KubeObject): string {
  return `${plural} ${keyOf(object)}`;
}

function ageKey({ metadata }: KubeObject): string {
  return `${metadata.creationTimestamp ?? ""} ${metadata.name}`;
}
