import { LABELS } from "../../api/names.ts";
import { type EndpointSlice, keyOf } from "../../api/objects.ts";
import { failingOverBy, isOurs } from "../../api/ownership.ts";
import type { ReflectorEvent, Store } from "../../kube/reflector/store.ts";

/** The cache as it is read here: what a reflector offers. */
interface SliceCache {
  readonly store: Store<EndpointSlice>;
  onEvent(listener: (event: ReflectorEvent<EndpointSlice>) => void): () => void;
}

/** Our EndpointSlices by which Services fail over, by Service. */
export class OwnSlices {
  readonly #byService = new Map<string, Map<string, EndpointSlice>>();
  readonly #unsubscribe: () => void;

  /** @param onChange told the Service's key after each change of its slices */
  constructor(cache: SliceCache, onChange: (service: string) => void) {
    for (const slice of cache.store.list()) this.#put(slice);
    this.#unsubscribe = cache.onEvent((event) => {
      const services = new Set<string>();
      if (event.previous !== undefined) services.add(this.#remove(event.previous) ?? "");
      if (event.type === "apply") services.add(this.#put(event.object) ?? "");
      services.delete("");
      for (const service of services) onChange(service);
    });
  }

  /** In the order of their names. */
  of(service: string): EndpointSlice[] {
    const slices = [...(this.#byService.get(service)?.values() ?? [])];
    return slices.toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  }

  services(): string[] {
    return [...this.#byService.keys()];
  }

  /** Those that point to a link. */
  to(link: string): { slice: EndpointSlice; service: string }[] {
    return [...this.#byService].flatMap(([service, slices]) =>
      [...slices.values()]
        .filter(({ metadata }) => metadata.labels?.[LABELS.link] === link)
        .map((slice) => ({ slice, service })),
    );
  }

  stop(): void {
    this.#unsubscribe();
  }

  #put(slice: EndpointSlice): string | undefined {
    const service = isOurs(slice) ? failingOverBy(slice) : undefined;
    if (service === undefined) return undefined;
    const slices = this.#byService.get(service) ?? new Map<string, EndpointSlice>();
    this.#byService.set(service, slices.set(keyOf(slice), slice));
    return service;
  }

  #remove(slice: EndpointSlice): string | undefined {
    const service = failingOverBy(slice);
    if (service === undefined) return undefined;
    const slices = this.#byService.get(service);
    slices?.delete(keyOf(slice));
    if (slices?.size === 0) this.#byService.delete(service);
    return service;
  }
}
