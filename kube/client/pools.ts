import { Agent, Client, type Dispatcher, ProxyAgent } from "undici";
import { type Connection, SharedConnections } from "./connections.ts";
import type { TlsMaterial } from "./credentials.ts";
import { createResettableConnector } from "./resettable-connector.ts";

/** The connections to one API server, made with the same certificates. */
export interface Pools {
  readonly requests: SharedConnections;
  readonly watches: Dispatcher;
}

export interface PoolOptions {
  /** Of the API server. */
  origin: string;
  proxyUrl: string | undefined;
  tls: TlsMaterial;
  /** Shared by all requests but watches. */
  connections: number;
  /** Until the head of a watch has to be there. */
  watchHeadTimeoutMs: number;
}

/** The API server closes connections after 90 s without use; we are to be the first. */
const KEEP_ALIVE_MS = 60_000;
/** With libuv's ten probes a second apart, a peer that vanished is noticed in 20 s. */
const TCP_KEEP_ALIVE_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;

const SETTINGS = {
  allowH2: false,
  pipelining: 1,
  keepAliveTimeout: KEEP_ALIVE_MS,
  keepAliveMaxTimeout: KEEP_ALIVE_MS,
};

/** Makes the pools; nothing is connected yet. */
export function createPools(options: PoolOptions): Pools {
  const { origin, proxyUrl: uri, tls, connections, watchHeadTimeoutMs } = options;
  const connect = {
    ...tls,
    timeout: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  };
  // What limits a request's time is its own signal.
  const forRequests = { ...SETTINGS, headersTimeout: 0, bodyTimeout: 0 };
  const forWatches = { ...SETTINGS, headersTimeout: watchHeadTimeoutMs, bodyTimeout: 0 };
  const single = (): Connection => {
    if (uri !== undefined) {
      const proxied = { ...forRequests, uri, connect, requestTls: connect, connections: 1 };
      // What a proxy has taken over is out of our hands.
      return { dispatcher: new ProxyAgent(proxied), reset: () => {} };
    }
    const connector = createResettableConnector(connect);
    const dispatcher = new Client(origin, { ...forRequests, connect: connector.connect });
    return { dispatcher, reset: connector.reset };
  };
  return {
    requests: new SharedConnections(single, connections),
    watches:
      uri === undefined
        ? new Agent({ ...forWatches, connect })
        : new ProxyAgent({ ...forWatches, uri, requestTls: connect }),
  };
}
