import { connectedPodSpec } from "./pod-spec.ts";
import type { KubeObject } from "../../api/objects.ts";

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
}

const PORT = 8080;

const PROGRAM = `
const http = require("node:http");
const server = http.createServer((request, response) => {
  if (request.url === "/drip") {
    const timer = setInterval(() => response.write("."), 500);
    response.on("close", () => clearInterval(timer));
    response.write(".");
  } else response.end("hello from " + process.env.CLUSTER + "\\n");
});
server.keepAliveTimeout = 60000;
server.listen(${PORT}, "0.0.0.0");
process.on("SIGTERM", () => process.exit(0));
`;

/** The Deployment and the Service (port 80, named http) of a web server. */
export function webServer(options: WebServerOptions): KubeObject[] {
  const { namespace, name, cluster, path = "", image, replicas = 1 } = options;
  const labels = { app: name };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: connectedPodSpec({
          name: "web",
          image,
          program: PROGRAM,
          env: { CLUSTER: cluster + path },
          readinessPort: PORT,
        }),
      },
    },
  };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace, name },
    spec: { selector: labels, ports: [{ name: "http", port: 80, targetPort: PORT }] },
  };
  return [deployment, service];
}
