import { createInterface } from "node:readline";
import { Agent, request } from "undici";

/** Access to an API server with a client certificate. */
export interface ApiAccess {
  readonly server: string;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A plain JSON client for the few requests the bed itself makes. */
export interface Api {
  /** The server's answer, taken to be a T. @throws ApiError with the status and the server's message for any answer but 2xx. */
  request<T>(method: Method, path: string, body?: unknown): Promise<T>;
  /** Like request; that an object exists already is fine. */
  create(path: string, body: unknown): Promise<void>;
  /** The lines of a watch, until the server ends it. @throws ApiError like request. */
  watch(path: string, signal: AbortSignal): AsyncIterable<string>;
  close(): Promise<void>;
}

/** An answer other than 2xx. */
class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const timeoutMs = 10_000;

/** Opens a client; it connects at the first request. */
export function openApi(access: ApiAccess): Api {
  const dispatcher = new Agent({
    connect: { ca: access.caPem, cert: access.certPem, key: access.keyPem, timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const api: Api = {
    async request<T>(method: Method, path: string, body?: unknown): Promise<T> {
      const contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json";
      const response = await request(access.server + path, {
        dispatcher,
        method,
        headers: { accept: "application/json", "content-type": contentType },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.body.text();
      if (response.statusCode >= 300) {
        throw new ApiError(
          response.statusCode,
          `${method} ${path}: ${response.statusCode} ${text.slice(0, 500)}`,
        );
      }
      const answer: T = JSON.parse(text.startsWith("{") ? text : JSON.stringify(text));
      return answer;
    },
    async create(path, body) {
      try {
        await api.request("POST", path, body);
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409) throw error;
      }
    },
    async *watch(path, signal) {
      // Nothing may come for minutes.
      const response = await request(access.server + path, { dispatcher, signal, bodyTimeout: 0 });
      if (response.statusCode >= 300) {
        throw new ApiError(
          response.statusCode,
          `watch ${path}: ${response.statusCode} ${await response.body.text()}`,
        );
      }
      yield* createInterface({ input: response.body });
    },
    close: () => dispatcher.destroy(),
  };
  return api;
}
