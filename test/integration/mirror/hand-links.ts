import { randomUUID } from "node:crypto";
import { type Link, linkSpecSchema, type LinkSpec } from "../../../api/link.ts";
import { ANNOTATIONS, gatewayIdentity, INSTALL_NAMESPACE } from "../../../api/names.ts";
import { keyOf, type Service, type ServicePort } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { LinkView, LinkViews } from "../../../controller/link/link-view.ts";
import type { MirrorController } from "../../../controller/mirror/mirror.ts";
import { ObjectStore } from "../../../kube/reflector/store.ts";

type Selection = Partial<Pick<LinkSpec, "serviceSelector" | "namespaceSelector" | "mirror">>;

/** Links whose state and provider a test decides, one change at a time. */
export class HandLinks implements LinkViews {
  readonly objects = new ObjectStore<Link>();
  readonly #links = new Map<string, HandLink>();
  #mirrors: MirrorController | undefined;

  connect(mirrors: MirrorController): void {
    this.#mirrors = mirrors;
  }

  get(name: string): LinkView | undefined {
    return this.#links.get(name)?.view;
  }

  list(): LinkView[] {
    return [...this.#links.values()].map(({ view }) => view);
  }

  /** A Link that exists now: Ready, its provider listed. */
  add(name: string, options: Selection & { clusterName?: string } = {}): HandLink {
    const { clusterName = name, ...selection } = options;
    const link = new HandLink(name, clusterName, selection, {
      service: (key) => this.#mirrors?.enqueueService(name, key),
      all: () => this.#mirrors?.enqueueLink(name),
    });
    this.#links.set(name, link);
    this.objects.apply(`${INSTALL_NAMESPACE}/${name}`, {
      resourceVersion: "1",
      object: { metadata: link.view.metadata },
    });
    link.change({});
    return link;
  }

  /** The Link is gone altogether. */
  remove(name: string): void {
    this.#links.delete(name);
    this.objects.delete(`${INSTALL_NAMESPACE}/${name}`);
    this.#mirrors?.enqueueLink(name);
  }
}

interface Told {
  service(key: string): void;
  all(): void;
}

/** One Link, and the provider behind it. */
export class HandLink {
  readonly services = new ObjectStore<Service>();
  readonly #ready = new Set<string>();
  readonly #told: Told;
  #view: LinkView;
  #version = 0;

  constructor(name: string, clusterName: string, selection: Selection, told: Told) {
    this.#told = told;
    this.#view = {
      name,
      clusterName,
      metadata: {
        name,
        namespace: INSTALL_NAMESPACE,
        uid: randomUUID(),
        creationTimestamp: new Date().toISOString(),
      },
      spec: linkSpecSchema.parse({
        credentialsSecretRef: { name: "credentials" },
        gateway: { identity: gatewayIdentity(clusterName) },
        trustBundle: "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----",
        ...selection,
      }),
      open: true,
      reason: REASONS.LinkReady,
      message: "",
      remote: {
        services: this.services,
        hasReadyEndpoint: (key) => this.#ready.has(key),
      },
      deleting: false,
    };
  }

  get view(): LinkView {
    return this.#view;
  }

  change(change: Partial<LinkView>): void {
    this.#view = { ...this.#view, ...change };
    this.#told.all();
  }

  /** The Service as the provider has it now; exported unless its annotations say otherwise. */
  put(service: Service, options: { ready?: boolean } = {}): void {
    const key = keyOf(service);
    if (options.ready ?? true) this.#ready.add(key);
    else this.#ready.delete(key);
    this.#version += 1;
    this.services.apply(key, { resourceVersion: String(this.#version), object: service });
    this.#told.service(key);
  }

  /** The provider's Service is not exported any more, or gone. */
  drop(key: string): void {
    this.#ready.delete(key);
    this.services.delete(key);
    this.#told.service(key);
  }
}

/** An exported Service of a provider. */
export function exported(
  namespace: string,
  name: string,
  options: {
    ports?: ServicePort[];
    spec?: Service["spec"];
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    creationTimestamp?: string;
  } = {},
): Service {
  return {
    metadata: {
      namespace,
      name,
      uid: randomUUID(),
      creationTimestamp: options.creationTimestamp ?? "2026-01-01T00:00:00Z",
      labels: options.labels ?? {},
      annotations: { [ANNOTATIONS.export]: "true", ...options.annotations },
    },
    spec: {
      type: "ClusterIP",
      clusterIP: "10.150.0.7",
      ipFamilyPolicy: "SingleStack",
      ports: options.ports ?? [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
      ...options.spec,
    },
  };
}
