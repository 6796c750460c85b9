import { formatSource, type Source } from "../../api/ownership.ts";

/** Which Services name which targets, so that a change there is known to concern them. */
export class References {
  readonly #targets = new Map<string, readonly Source[]>();
  readonly #byTarget = new Map<string, Set<string>>();
  readonly #byCluster = new Map<string, Set<string>>();

  /** The Service names these targets now, and no others. */
  set(service: string, targets: readonly Source[]): void {
    for (const target of this.#targets.get(service) ?? []) {
      drop(this.#byTarget, formatSource(target), service);
      drop(this.#byCluster, target.cluster, service);
    }
    this.#targets.delete(service);
    if (targets.length > 0) this.#targets.set(service, targets);
    for (const target of targets) {
      add(this.#byTarget, formatSource(target), service);
      add(this.#byCluster, target.cluster, service);
    }
  }

  toTarget(target: Source): Iterable<string> {
    return this.#byTarget.get(formatSource(target)) ?? [];
  }

  toCluster(cluster: string): Iterable<string> {
    return this.#byCluster.get(cluster) ?? [];
  }

  /** The targets in a cluster that any Service names. */
  targetsIn(cluster: string): Source[] {
    const services = [...this.toCluster(cluster)];
    const targets = services.flatMap((service) => this.#targets.get(service) ?? []);
    const inCluster = targets.filter((target) => target.cluster === cluster);
    return [...new Map(inCluster.map((target) => [formatSource(target), target])).values()];
  }

  services(): Iterable<string> {
    return this.#targets.keys();
  }

  has(service: string): boolean {
    return this.#targets.has(service);
  }
}

function add(index: Map<string, Set<string>>, key: string, service: string): void {
  const services = index.get(key) ?? new Set<string>();
  index.set(key, services.add(service));
}

function drop(index: Map<string, Set<string>>, key: string, service: string): void {
  const services = index.get(key);
  services?.delete(service);
  if (services?.size === 0) index.delete(key);
}
