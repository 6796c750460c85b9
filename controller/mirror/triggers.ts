import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../api/objects.ts";
import { isOurs } from "../../api/ownership.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { LinkViews } from "../link/link-view.ts";
import type { OwnClusterCaches } from "../own-cluster/caches.ts";
import { sourcesNamed } from "./plan/gather.ts";
import { type GatewayPod, readyGateways } from "../own-cluster/gateway-pods.ts";
import {
  type LocalChange,
  type OwnObjects,
  ownerKeyOf,
  type Purpose,
  purposeOf,
} from "./mirror-writer/own-objects.ts";

/** Turns changes of the own cluster into the sources that have to be looked at again. */
export class Triggers {
  readonly #links: LinkViews;
  readonly #own: OwnObjects;
  readonly #caches: OwnClusterCaches;
  readonly #enqueue: (purpose: Purpose) => void;
  #gateways: readonly GatewayPod[];

  constructor(options: {
    links: LinkViews;
    own: OwnObjects;
    caches: OwnClusterCaches;
    enqueue: (purpose: Purpose) => void;
  }) {
    this.#links = options.links;
    this.#own = options.own;
    this.#caches = options.caches;
    this.#enqueue = options.enqueue;
    this.#gateways = readyGateways(this.#caches.gatewayPods.store.list());
    this.#own.onChange((change) => this.#localChanged(change));
    this.#caches.namespaces.onEvent((event) => {
      const after = event.type === "apply" ? event.object : undefined;
      if (!isDeepStrictEqual(event.previous, after)) this.#namespaceChanged(event.key);
    });
    this.#caches.gatewayPods.onEvent(() => this.#podsChanged());
  }

  /** The egress gateways that are Ready now. */
  gateways(): readonly GatewayPod[] {
    return this.#gateways;
  }

  /** Every source that wants, or might get, the mirror of this key. */
  nameChanged(mirrorKey: string): void {
    for (const purpose of sourcesNamed(this.#links, mirrorKey)) this.#enqueue(purpose);
  }

  #localChanged({ resource, before, after, key }: LocalChange): void {
    for (const object of [before, after]) {
      const purpose = purposeOf(object);
      if (purpose !== undefined) this.#enqueue(purpose);
    }
    if (resource === RESOURCES.services && identityOf(before) !== identityOf(after)) {
      this.nameChanged(key);
    }
    // Endpoints whose mirror went or was stripped are found under the mirror's source.
    const parent = resource === RESOURCES.services ? undefined : ownerKeyOf(after ?? before);
    const purpose = parent && purposeOf(this.#caches.services.store.get(parent));
    if (purpose) this.#enqueue(purpose);
  }

  #namespaceChanged(namespace: string): void {
    const prefix = `${namespace}/`;
    for (const view of this.#links.list()) {
      for (const sourceKey of view.remote?.services.keys() ?? []) {
        if (sourceKey.startsWith(prefix)) this.#enqueue({ link: view.name, sourceKey });
      }
    }
  }

  #podsChanged(): void {
    const gateways = readyGateways(this.#caches.gatewayPods.store.list());
    if (isDeepStrictEqual(gateways, this.#gateways)) return;
    this.#gateways = gateways;
    for (const link of this.#own.links()) {
      for (const sourceKey of this.#own.sourcesOf(link)) this.#enqueue({ link, sourceKey });
    }
  }
}

/** Whose Service it is, and which one. */
function identityOf(service: KubeObject | undefined): string {
  return service === undefined ? "" : `${service.metadata.uid ?? ""} ${isOurs(service)}`;
}
