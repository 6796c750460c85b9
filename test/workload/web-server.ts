import { connectedPodSpec } from "./pod-spec.ts";
import type { KubeObject } from "../../api/objects.ts";

/** A port of a web server's Service and of its pods. */
export interface WebPort {
  readonly name: string;
  readonly port: number;
  readonly targetPort: number;
}

/** A web server that says where it runs, and at `/drip` sends a byte every half second without an end. */
export interface WebServerOptions {
  readonly namespace: string;
  readonly name: string;
  /** Said in every answer: `hello from <cluster>`. */
  readonly cluster: string;
  /** Said after the cluster's name, such as `/shop/web`, where several have to be told apart. */
  readonly path?: string;
  readonly image: string;
  readonly replicas?: number;
  /** Port 80, named http, by default. Answers at another than the first end with ` at <name>`. */
  readonly ports?: readonly [WebPort, ...WebPort[]];
  /**
   * How long its pods answer after SIGTERM, while they say that they are not ready; by default they end at once, and
   * connections fail until everybody has heard of it.
   */
  readonly drainMs?: number;
  /** The node of its pods; any by default. */
  readonly nodeName?: string;
}

const DEFAULT_PORT = { name: "http", port: 80, targetPort: 8080 };

const READY_PATH = "/ready";

const PROGRAM = `
const http = require("node:http");
const { CLUSTER, PORTS, DRAIN_MS } = process.env;
let draining = false;
JSON.parse(PORTS).forEach(({ name, targetPort }, index) => {
  const answer = "hello from " + CLUSTER + (index === 0 ? "" : " at " + name) + "\\n";
  const server = http.createServer((request, response) => {
    if (request.url === "${READY_PATH}") response.writeHead(draining ? 503 : 200).end();
    else if (request.url === "/drip") {
      const timer = setInterval(() => response.write("."), 500);
      response.on("close", () => clearInterval(timer));
      response.write(".");
    } else response.end(answer);
  });
  server.keepAliveTimeout = 60000;
  server.listen(targetPort);
});
process.on("SIGTERM", () => {
  draining = true;
  if (DRAIN_MS === "0") process.exit(0);
  setTimeout(() => process.exit(0), Number(DRAIN_MS));
});
`;

/** The Deployment and the Service of a web server. */
export function webServer(options: WebServerOptions): KubeObject[] {
  const {
    namespace,
    name,
    cluster,
    path = "",
    image,
    replicas = 1,
    nodeName,
    drainMs = 0,
  } = options;
  const { ports = [DEFAULT_PORT] } = options;
  const labels = { app: name };
  const spec = connectedPodSpec({
    name: "web",
    image,
    program: PROGRAM,
    env: { CLUSTER: cluster + path, PORTS: JSON.stringify(ports), DRAIN_MS: String(drainMs) },
    readinessPort: ports[0].targetPort,
    ...(drainMs > 0
      ? { readinessPath: READY_PATH, graceSeconds: Math.ceil(drainMs / 1000) + 1 }
      : {}),
  });
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { ...spec, ...(nodeName === undefined ? {} : { nodeName }) },
      },
    },
  };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace, name },
    spec: { selector: labels, ports },
  };
  return [deployment, service];
}
