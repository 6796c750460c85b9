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
  WriteOptions,
} from "./kube-client.ts";
import { type ObjectKey, resourcePath } from "./resource-path.ts";
import { Transport } from "./transport.ts";
import { readPage } from "./list-page.ts";
import { isKubeObject, isRecord } from "./object-shape.ts";
import { readWatchEvents, type WatchEvent } from "./watch-stream.ts";

export type * from "./kube-client.ts";
export type { WatchEvent } from "./watch-stream.ts";

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
    const path = resourcePath(resource, key);
    const object = await this.#send<T>({ method: "GET", verb: "get", resource, path, ...options });
    if (isKubeObject(object) && object.metadata.name === key.name) return object;
    throw this.#transport.invalidResponse(`GET ${path} is another object, or none`);
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
    let bytes = 0;
    const body = await this.#transport.send({
      method: "GET",
      verb: "list",
      resource,
      path,
      query: { ...query, continue: continueToken },
      onText: (text) => {
        bytes = text.length;
      },
      ...(signal && { signal }),
    });
    const page = readPage<T>(body, resource);
    if (page === undefined) throw this.#transport.invalidResponse(`GET ${path} is not a list`);
    return { ...page, bytes };
  }

  async create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: WriteOptions = {},
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
    const { namespace, signal, onOpen, ...query } = options;
    const body = await this.#transport.stream({
      method: "GET",
      verb: "watch",
      resource,
      path: resourcePath(resource, { ...(namespace !== undefined && { namespace }) }),
      query: { ...query, watch: true, allowWatchBookmarks: true },
      signal,
    });
    onOpen?.();
    const maxBytes = Math.min(MAX_EVENT_BYTES, this.#transport.maxResponseBytes);
    for await (const event of readWatchEvents(body, maxBytes, this.server)) {
      if ("object" in event && event.type !== "ERROR" && event.object.kind !== resource.kind) {
        throw this.#transport.invalidResponse(`a watch of ${resource.plural} sent another kind`);
      }
      yield event;
    }
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #send<T>(init: RawRequest & { verb: string; resource?: Resource }): Promise<T> {
    const answer: unknown = await this.#transport.send(init);
    if (init.resource !== undefined && init.verb !== "delete") {
      const { kind } = init.resource;
      if (!isRecord(answer) || answer["kind"] !== kind || !isRecord(answer["metadata"])) {
        throw this.#transport.invalidResponse(`${init.method} ${init.path} answered no ${kind}`);
      }
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- callers name the type of what they asked for
    return answer as T;
  }
}

function withHead<T extends KubeObject>(resource: Resource, object: T): T {
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
}
