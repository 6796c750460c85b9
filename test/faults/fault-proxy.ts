import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { createAuthority } from "../bed/certificates.ts";
import { describeRequest, type ProxiedRequest } from "./proxied-request.ts";

/** What happens to a request instead of, or on top of, being passed on. */
export type Fault =
  /** Answered by the proxy; the API server never sees it. */
  | { type: "respond"; statusCode: number; headers?: Record<string, string>; body: string }
  /** Never answered. */
  | { type: "hang" }
  /** The connection is destroyed without an answer. */
  | { type: "drop" }
  /** The head of the answer is passed on, its body is swallowed. */
  | { type: "silence" }
  /** Half of the first piece of the body is passed on, then the connection is destroyed. */
  | { type: "cut" }
  /** The body begins with these bytes instead of the server's, and ends there. */
  | { type: "body"; text: string };

export interface FaultRule {
  match: "list" | "watch" | ((request: ProxiedRequest) => boolean);
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
    } else if (fault?.type === "drop") {
      incoming.socket.destroy();
    } else if (fault?.type !== "hang") {
      forward(upstream.server, agents, incoming, response, fault);
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

function forward(
  server: string,
  agents: { admin: Agent; caller: Agent },
  incoming: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): void {
  const agent = incoming.headers.authorization === undefined ? agents.admin : agents.caller;
  const onward = httpsRequest(new URL(incoming.url ?? "/", server), {
    agent,
    method: incoming.method ?? "GET",
    headers: { ...incoming.headers, host: new URL(server).host },
  });
  onward.on("error", () => incoming.socket.destroy());
  response.on("close", () => onward.destroy());
  onward.on("response", (answer) => {
    answer.on("error", () => incoming.socket.destroy());
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    if (fault?.type === "body") {
      response.end(fault.text);
      onward.destroy();
    } else if (fault?.type === "silence") {
      answer.resume();
    } else if (fault?.type === "cut") {
      answer.once("data", (piece: Buffer) => {
        response.write(piece.subarray(0, Math.ceil(piece.length / 2)), () =>
          incoming.socket.destroy(),
        );
      });
    } else {
      answer.pipe(response);
    }
  });
  incoming.pipe(onward);
}
