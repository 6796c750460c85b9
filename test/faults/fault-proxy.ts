import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { Agent, createServer } from "node:https";
import type { Socket } from "node:net";
import { createAuthority } from "../bed/certificates.ts";
import { forward, type ForwardFault } from "./forward.ts";
import { describeRequest, type ProxiedRequest } from "./proxied-request.ts";

/** What happens to a request instead of, or on top of, being passed on. */
export type Fault =
  /** Answered by the proxy; the API server never sees it. */
  | {
      type: "respond";
      statusCode: number;
      headers?: Record<string, string>;
      body: string | Uint8Array;
    }
  /** Answered by the proxy, one byte of the text at a time. */
  | { type: "trickle"; text: string; everyMs: number }
  /** Never answered. */
  | { type: "hang" }
  /** The connection is destroyed without an answer. */
  | { type: "drop" }
  | ForwardFault;

export interface FaultRule {
  match: "get" | "list" | "watch" | ((request: ProxiedRequest) => boolean);
  fault: Fault;
  /** How many requests it strikes; 1 when absent. */
  times?: number;
}

/** Who the requests are made as at the real API server: certificates do not pass a proxy that ends TLS. */
export interface Upstream {
  server: string;
  caPem: string;
  /** Used for requests that carry no token of their own. */
  certPem: string;
  keyPem: string;
}

/** A proxy in front of a real API server that misbehaves on demand. */
export interface FaultProxy {
  readonly server: string;
  /** The authority of the proxy's own certificate. */
  readonly caPem: string;
  /** TLS connections accepted so far. */
  readonly connections: number;
  /** What was asked so far, in order. */
  readonly requests: readonly ProxiedRequest[];
  /** Adds a rule, tried after those that are left; returns how to take it back. */
  inject(rule: FaultRule): () => void;
  /** Destroys the connections of all watches under way. */
  cutWatches(): void;
  close(): Promise<void>;
}

/** Starts a fault proxy on 127.0.0.1 with a certificate of its own. */
export async function startFaultProxy(upstream: Upstream): Promise<FaultProxy> {
  const authority = await createAuthority("fault-proxy");
  const { certPem, keyPem } = await authority.issue({ commonName: "proxy", ips: ["127.0.0.1"] });
  const rules: Required<FaultRule>[] = [];
  const requests: ProxiedRequest[] = [];
  const sockets = new Set<Socket>();
  const watches = new Set<Socket>();
  const agents = {
    admin: new Agent({
      ca: upstream.caPem,
      cert: upstream.certPem,
      key: upstream.keyPem,
      keepAlive: true,
    }),
    caller: new Agent({ ca: upstream.caPem, keepAlive: true }),
  };
  let connections = 0;

  const server = createServer({ cert: certPem, key: keyPem }, (incoming, response) => {
    const asked = describeRequest(incoming);
    requests.push(asked);
    if (asked.verb === "watch") {
      watches.add(incoming.socket);
      response.on("close", () => watches.delete(incoming.socket));
    }
    const fault = takeFault(rules, asked);
    if (fault?.type === "respond") {
      response.writeHead(fault.statusCode, fault.headers).end(fault.body);
    } else if (fault?.type === "trickle") {
      trickle(response, fault.text, fault.everyMs);
    } else if (fault?.type === "drop") {
      incoming.socket.destroy();
    } else if (fault?.type !== "hang") {
      const agent = incoming.headers.authorization === undefined ? agents.admin : agents.caller;
      void forward(upstream.server, agent, asked, incoming, response, fault);
    }
  });
  server.on("secureConnection", () => (connections += 1));
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  return {
    server: `https://127.0.0.1:${port}`,
    caPem: authority.certPem,
    requests,
    get connections() {
      return connections;
    },
    inject: (rule) => {
      const entry = { times: 1, ...rule };
      rules.push(entry);
      return () => {
        entry.times = 0;
      };
    },
    cutWatches: () => {
      for (const socket of watches) socket.destroy();
    },
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      agents.admin.destroy();
      agents.caller.destroy();
      await closed;
    },
  };
}

function takeFault(rules: Required<FaultRule>[], asked: ProxiedRequest): Fault | undefined {
  const rule = rules.find(
    ({ match, times }) =>
      times > 0 && (typeof match === "function" ? match(asked) : match === asked.verb),
  );
  if (rule === undefined) return undefined;
  rule.times -= 1;
  return rule.fault;
}

/** Until the text is at its end, or whoever asked has gone. */
function trickle(response: ServerResponse, text: string, everyMs: number): void {
  response.writeHead(200, { "content-type": "application/json" });
  const bytes = Buffer.from(text);
  let sent = 0;
  const timer = setInterval(() => {
    if (sent === bytes.length) response.end();
    else response.write(bytes.subarray(sent, (sent += 1)));
  }, everyMs);
  response.on("close", () => clearInterval(timer));
}
