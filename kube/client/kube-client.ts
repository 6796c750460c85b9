import type { Clock } from "../../api/clock.ts";
import type { KubeObject } from "../../api/objects.ts";
import type { Resource } from "../../api/resources.ts";
import type { KubeMetrics } from "../metrics.ts";
import type { ObjectKey } from "./resource-path.ts";
import type { WatchEvent } from "./watch-stream.ts";

export interface CallOptions {
  signal?: AbortSignal;
}

export interface WriteOptions extends CallOptions {
  /** Called just before the request is written to its connection; a NotSentError it throws is thrown by the call. */
  beforeSend?: () => void;
}

export interface ListOptions extends CallOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Objects per page at most; without it the server sends all of them. */
  limit?: number;
  continueToken?: string;
  /** Unset: the newest state, confirmed by a quorum. */
  resourceVersion?: string;
}

/** One page of a list. */
export interface ListPage<T> {
  items: T[];
  resourceVersion: string;
  /** Length of the answer. */
  bytes: number;
  /** Present when there are more pages. */
  continueToken?: string;
}

export interface ApplyOptions extends WriteOptions {
  fieldManager: string;
  force?: boolean;
  subresource?: "status";
}

export interface PatchOptions extends WriteOptions {
  type: "merge" | "json";
  subresource?: string;
  fieldManager?: string;
}

export interface ReplaceOptions extends WriteOptions {
  subresource?: string;
}

export interface RemoveOptions extends WriteOptions {
  uid?: string;
  resourceVersion?: string;
  propagationPolicy?: "Foreground" | "Background" | "Orphan";
}

export interface WatchOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion: string;
  /** When the server is to end the watch by itself. */
  timeoutSeconds?: number;
  signal: AbortSignal;
  /** Called when the server has accepted the watch. */
  onOpen?: () => void;
}

export interface RawRequest extends WriteOptions {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute path on the API server. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  contentType?: string;
  /** With `text/plain` in the first place the answer is returned as a string. */
  accept?: string;
  timeoutMs?: number;
}

/**
 * One cluster's API server. Every call throws ApiError for an answer that is
 * an error, KubeConnectionError when no usable answer came, and the signal's
 * reason when it aborted.
 */
export interface KubeClient {
  /** URL of the API server. */
  readonly server: string;
  get<T extends KubeObject>(resource: Resource, key: ObjectKey, options?: CallOptions): Promise<T>;
  /** Like `get`, but undefined when there is no such object. */
  find<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    options?: CallOptions,
  ): Promise<T | undefined>;
  /** One page. */
  list<T extends KubeObject>(resource: Resource, options?: ListOptions): Promise<ListPage<T>>;
  /** POST; an object of that name is a thrown 409 AlreadyExists. */
  create<T extends KubeObject>(resource: Resource, object: T, options?: WriteOptions): Promise<T>;
  /**
   * Server-side apply. `metadata.uid` in the object is a precondition: another
   * uid is a thrown 422 Invalid, no object at all a thrown 409 Conflict.
   */
  apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    body: unknown,
    options: PatchOptions,
  ): Promise<T>;
  /** PUT; `metadata.resourceVersion` in the object is a precondition. */
  replace<T extends KubeObject>(
    resource: Resource,
    object: T,
    options?: ReplaceOptions,
  ): Promise<T>;
  /** Deletes; an object that is not there is no error, a failed precondition is a thrown 409. */
  remove(resource: Resource, key: ObjectKey, options?: RemoveOptions): Promise<void>;
  /** Anything else: subresources, reviews, `/version`. */
  request<T>(init: RawRequest): Promise<T>;
  /** Raw events until the server ends the watch; ERROR events are yielded, not thrown. */
  watch(resource: Resource, options: WatchOptions): AsyncIterable<WatchEvent>;
  /** Destroys its connections; calls under way fail. */
  close(): Promise<void>;
}

export interface KubeClientOptions {
  /** For a whole request, and for the head of a watch; 30 s when absent. */
  requestTimeoutMs?: number;
  userAgent?: string;
  /** Bound of one response; 64 MiB when absent. An event of a watch is bounded by 16 MiB too. */
  maxResponseBytes?: number;
  /** Connections shared by all requests but watches; 8 when absent. */
  connections?: number;
  metrics?: KubeMetrics;
  clock?: Clock;
}
