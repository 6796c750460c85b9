import type { LinkSpec } from "../../api/link.ts";
import type { ObjectMeta, Service } from "../../api/objects.ts";
import type { NamespaceReading } from "../../kube/reflector/namespaced-cache.ts";
import type { Store } from "../../kube/reflector/store.ts";

/** What one link's watcher knows of the provider, as the mirror reconciler reads it. */
export interface RemoteView {
  /** Exported Services only; what is not exported is not kept. */
  readonly services: Store<Service>;
  /** Whether the provider's own endpoints (not failover slices) of the Service include a ready one. */
  hasReadyEndpoint(serviceKey: string): boolean;
  /**
   * What can be said of a Service, by its namespace, where not all are read:
   * it is `outside` where nothing is ever read. Absent: everything is readable.
   */
  readingOf?(serviceKey: string): NamespaceReading | "outside";
}

/** A link at this moment: its decision, and the provider behind it. */
export interface LinkView {
  readonly name: string;
  readonly metadata: ObjectMeta;
  readonly spec: LinkSpec;
  readonly clusterName: string;
  /** Whether the link's mirrors may take traffic: condition Ready is True. */
  readonly open: boolean;
  /** Reason and message of condition Ready. */
  readonly reason: string;
  readonly message: string;
  /** Undefined until the provider was fully listed once: nothing may be concluded from absence before. */
  readonly remote: RemoteView | undefined;
  /** The link is being deleted: all its mirrors have to go. */
  readonly deleting: boolean;
}

/** The links of this cluster, by name. */
export interface LinkViews {
  get(linkName: string): LinkView | undefined;
  list(): LinkView[];
}
