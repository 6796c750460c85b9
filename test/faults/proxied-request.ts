import type { IncomingMessage } from "node:http";

/** A request as it arrived at a proxy. */
export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Whether it reads one object, lists, watches or does something else. */
  readonly verb: "get" | "list" | "watch" | "other";
}

/** API paths of a collection: `…/v1/services` or `…/v1/namespaces/shop/services`. */
const COLLECTION = /^\/(?:api|apis\/[^/]+)\/[^/]+\/(?:namespaces\/[^/]+\/)?[a-z]+$/;

/** What a request to an API server is about. */
export function describeRequest(incoming: IncomingMessage): ProxiedRequest {
  const method = incoming.method ?? "";
  const { pathname: path, searchParams: query } = new URL(incoming.url ?? "/", "https://proxy");
  return { method, path, query, verb: verbOf(method, path, query) };
}

function verbOf(method: string, path: string, query: URLSearchParams): ProxiedRequest["verb"] {
  if (method !== "GET") return "other";
  if (query.get("watch") === "true") return "watch";
  return COLLECTION.test(path) ? "list" : "get";
}
