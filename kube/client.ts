import type { KubeConfig } from "@kubernetes/client-node";
import { type Clock, systemClock } from "../api/clock.ts";
import type { KubeObject } from "../api/objects.ts";
import { apiVersionOf, type Resource } from "../api/resources.ts";
import { isApiError } from "./api-error.ts";
import type { KubeMetrics } from "./metrics.ts";
import { type ObjectKey, resourcePath } from "./resource-path.ts";
import { Transport } from "./transport.ts";
import { readWatchEvents, type WatchEvent } from "./watch-stream.ts";

export interface CallOptions {
  signal?: AbortSignal;
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
  /** Present when there are more pages. */
  continueToken?: string;
}

export interface ApplyOptions extends CallOptions {
  fieldManager: string;
  force?: boolean;
  subresource?: "status";
}

export interface PatchOptions extends CallOptions {
  type: "merge" | "json";
  subresource?: string;
  fieldManager?: string;
}

export interface ReplaceOptions extends CallOptions {
  subresource?: string;
}

export interface RemoveOptions extends CallOptions {
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
  /** Called when the response's head and each piece of its body arrive. */
  onBytes?: () => void;
}

export interface RawRequest extends CallOptions {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute path on the API server. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  contentType?: string;
  /** With `text/plain` the answer is returned as a string. */
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
  get<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    options?: CallOptions,
  ): Promise<T>;
  /** Like `get`, but undefined when there is no such object. */
  find<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    options?: CallOptions,
  ): Promise<T | undefined>;
  /** One page. */
  list<T extends KubeObject>(resource: Resource, options?: ListOptions): Promise<ListPage<T>>;
  /** POST; an object of that name is a thrown 409 AlreadyExists. */
  create<T extends KubeObject>(resource: Resource, object: T, options?: CallOptions): Promise<T>;
  /** Server-side apply; `metadata.uid` in the object is a precondition. */
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
  /** Bound of one response, and of one line of a watch; 64 MiB when absent. */
  maxResponseBytes?: number;
  /** Connections shared by all requests but watches; 8 when absent. */
  connections?: number;
  metrics?: KubeMetrics;
  clock?: Clock;
}

interface ListBody<T> {
  metadata?: { resourceVersion?: string; continue?: string };
  items?: T[] | null;
}

const PATCH_TYPES = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
} as const;

/**
 * A client for the current context of `config`. Requests share a few kept-open
 * connections, watches have their own.
 */
export function createKubeClient(config: KubeConfig, options: KubeClientOptions = {}): KubeClient {
  const transport = new Transport(config, {
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    userAgent: options.userAgent ?? "isthmus",
    maxResponseBytes: options.maxResponseBytes ?? 64 * 1024 * 1024,
    connections: options.connections ?? 8,
    metrics: options.metrics,
    clock: options.clock ?? systemClock,
  });
  return new HttpKubeClient(transport);
}

class HttpKubeClient implements KubeClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  get server(): string {
    return this.#transport.server;
  }

  async get<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    options: CallOptions = {},
  ): Promise<T> {
    return await this.#send<T>({
      method: "GET",
      verb: "get",
      resource,
      path: resourcePath(resource, key),
      ...options,
    });
  }

  async find<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.get<T>(resource, key, options);
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(
    resource: Resource,
    options: ListOptions = {},
  ): Promise<ListPage<T>> {
    const { namespace, continueToken, signal, ...query } = options;
    const path = resourcePath(resource, { ...(namespace !== undefined && { namespace }) });
    const body = await this.#send<ListBody<T>>({
      method: "GET",
      verb: "list",
      resource,
      path,
      query: { ...query, continue: continueToken },
      ...(signal && { signal }),
    });
    const resourceVersion = body.metadata?.resourceVersion;
    const items = body.items ?? [];
    if (typeof resourceVersion !== "string" || !Array.isArray(items)) {
      throw this.#transport.invalidResponse(`GET ${path} is not a list`);
    }
    // Items of a list carry neither apiVersion nor kind.
    const head = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    const next = body.metadata?.continue;
    return {
      items: items.map((item) => ({ ...head, ...item })),
      resourceVersion,
      ...(next !== undefined && next !== "" && { continueToken: next }),
    };
  }

  async create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: CallOptions = {},
  ): Promise<T> {
    const { namespace } = object.metadata;
    return await this.#send<T>({
      method: "POST",
      verb: "create",
      resource,
      path: resourcePath(resource, { ...(namespace !== undefined && { namespace }) }),
      body: withHead(resource, object),
      ...options,
    });
  }

  async apply<T extends KubeObject>(
    resource: Resource,
    object: T,
    { fieldManager, force, subresource, ...options }: ApplyOptions,
  ): Promise<T> {
    return await this.#send<T>({
      method: "PATCH",
      verb: "apply",
      resource,
      path: resourcePath(resource, object.metadata, subresource),
      query: { fieldManager, force },
      body: withHead(resource, object),
      contentType: "application/apply-patch+yaml",
      ...options,
    });
  }

  async patch<T extends KubeObject>(
    resource: Resource,
    key: ObjectKey,
    body: unknown,
    { type, subresource, fieldManager, ...options }: PatchOptions,
  ): Promise<T> {
    return await this.#send<T>({
      method: "PATCH",
      verb: "patch",
      resource,
      path: resourcePath(resource, key, subresource),
      query: { fieldManager },
      body,
      contentType: PATCH_TYPES[type],
      ...options,
    });
  }

  async replace<T extends KubeObject>(
    resource: Resource,
    object: T,
    { subresource, ...options }: ReplaceOptions = {},
  ): Promise<T> {
    return await this.#send<T>({
      method: "PUT",
      verb: "update",
      resource,
      path: resourcePath(resource, object.metadata, subresource),
      body: withHead(resource, object),
      ...options,
    });
  }

  async remove(
    resource: Resource,
    key: ObjectKey,
    { uid, resourceVersion, propagationPolicy, ...options }: RemoveOptions = {},
  ): Promise<void> {
    try {
      await this.#send({
        method: "DELETE",
        verb: "delete",
        resource,
        path: resourcePath(resource, key),
        body: {
          apiVersion: "v1",
          kind: "DeleteOptions",
          preconditions: { uid, resourceVersion },
          propagationPolicy,
        },
        ...options,
      });
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
    }
  }

  async request<T>(init: RawRequest): Promise<T> {
    return await this.#send<T>({ ...init, verb: init.method.toLowerCase() });
  }

  async *watch(resource: Resource, options: WatchOptions): AsyncGenerator<WatchEvent> {
    const { namespace, signal, onBytes, ...query } = options;
    const body = await this.#transport.stream({
      method: "GET",
      verb: "watch",
      resource,
      path: resourcePath(resource, { ...(namespace !== undefined && { namespace }) }),
      query: { ...query, watch: true, allowWatchBookmarks: true },
      signal,
      ...(onBytes && { onBytes }),
    });
    yield* readWatchEvents(body, this.#transport.maxResponseBytes, this.server);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #send<T>(init: RawRequest & { verb: string; resource?: Resource }): Promise<T> {
    const answer: unknown = await this.#transport.send(init);
    // The API server's schema, not ours: callers name the type they asked for.
    return answer as T;
  }
}

function withHead<T extends KubeObject>(resource: Resource, object: T): T {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
}
