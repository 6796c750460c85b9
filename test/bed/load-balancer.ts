const addressCount = 250;

/** What is read of a Service. */
export interface ServiceObject {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] };
  };
}

/** What has to be done in one cluster. */
export interface AddressChanges {
  /** Addresses its Services have; the status of the new ones is still to be written. */
  readonly assign: readonly {
    readonly path: string;
    readonly address: string;
    readonly isNew: boolean;
  }[];
  readonly release: readonly string[];
}

/** Hands out the bed's load balancer addresses. What a Service's status says is kept, so a restart changes nothing. */
export class AddressPool {
  readonly #owners = new Map<string, { cluster: string; uid: string }>();
  readonly #addresses: readonly string[];
  #next = 0;

  /** @param prefix The first three bytes of every address. */
  constructor(prefix: string) {
    this.#addresses = Array.from({ length: addressCount }, (_, index) => `${prefix}.${index + 1}`);
  }

  /**
   * Takes in all Services of type LoadBalancer of a cluster.
   * @throws Error if there is no free address.
   */
  update(cluster: string, services: readonly ServiceObject[]): AddressChanges {
    const present = new Set(services.map(({ metadata }) => metadata.uid));
    const release: string[] = [];
    for (const [address, owner] of this.#owners) {
      if (owner.cluster !== cluster || present.has(owner.uid)) continue;
      this.#owners.delete(address);
      release.push(address);
    }
    const assign = services.map(({ metadata: { name, namespace, uid }, status }) => {
      const current = status?.loadBalancer?.ingress?.[0]?.ip;
      const address = current ?? this.#addressOf(uid) ?? this.#free();
      this.#owners.set(address, { cluster, uid });
      return {
        path: `/api/v1/namespaces/${namespace}/services/${name}`,
        address,
        isNew: current === undefined,
      };
    });
    return { assign, release };
  }

  #addressOf(uid: string): string | undefined {
    return [...this.#owners].find(([, owner]) => owner.uid === uid)?.[0];
  }

  /** Takes turns, so that an address freed a moment ago, which others may still remember, is not used again at once. */
  #free(): string {
    for (let tried = 0; tried < addressCount; tried++) {
      const address = this.#addresses[this.#next++ % addressCount];
      if (address && !this.#owners.has(address)) return address;
    }
    throw new Error(`all ${addressCount} load balancer addresses of the bed are in use`);
  }
}
