import type { KubeConfig } from "@kubernetes/client-node";
import { systemClock } from "../../api/clock.ts";
import type { KubeObject } from "../../api/objects.ts";
import { apiVersionOf, type Resource } from "../../api/resources.ts";
import { isApiError } from "./api-error.ts";
import type {
  ApplyOptions,
  CallOptions,
  KubeClient,
  KubeClientOptions,
  ListOptions,
  ListPage,
  PatchOptions,
  RawRequest,
  RemoveOptions,
  ReplaceOptions,
  WatchOptions,
} from "./kube-client.ts";
import { type ObjectKey, resourcePath } from "./resource-path.ts";
import { Transport } from "./transport.ts";
import { readWatchEvents, type WatchEvent } from "./watch-stream.ts";

export type * from "./kube-client.ts";
export type { WatchEvent } from "./watch-stream.ts";

interface ListBody<T> {
  metadata?: { resourceVersion?: string; continue?: string };
  items?: T[] | null;
}

/** etcd holds objects of 1.5 MiB; JSON may make more of them. */
const MAX_EVENT_BYTES = 16 * 1024 * 1024;

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
    const maxBytes = Math.min(MAX_EVENT_BYTES, this.#transport.maxResponseBytes);
    yield* readWatchEvents(body, maxBytes, this.server);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #send<T>(init: RawRequest & { verb: string; resource?: Resource }): Promise<T> {
    const answer: unknown = await this.#transport.send(init);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- callers name the type of what they asked for
    return answer as T;
  }
}

function withHead<T extends KubeObject>(resource: Resource, object: T): T {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
}
