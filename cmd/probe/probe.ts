import { readFile } from "node:fs/promises";
import path from "node:path";
import { errorMessage } from "../../api/errors.ts";
import { lookAtGateways } from "./gateways.ts";
import {
  callRequestSchema,
  gatewaysRequestSchema,
  PROBE_LEAF_FOLDER,
  PROBE_REQUEST_VARIABLE,
  PROBE_SERVER_PORT,
  serveRequestSchema,
} from "./report.ts";
import { call, serve } from "./service.ts";

/** What a short-lived pod of `link check` runs: its report is one line of JSON on standard output. */
async function main(mode: string): Promise<void> {
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort());
  const request: unknown = JSON.parse(process.env[PROBE_REQUEST_VARIABLE] ?? "{}");
  switch (mode) {
    case "gateways": {
      const [certificatePem, privateKeyPem] = await Promise.all(
        ["tls.crt", "tls.key"].map((file) => readFile(path.join(PROBE_LEAF_FOLDER, file), "utf8")),
      );
      const leaf = { certificatePem: certificatePem ?? "", privateKeyPem: privateKeyPem ?? "" };
      const { signal } = ending;
      tell(await lookAtGateways({ request: gatewaysRequestSchema.parse(request), leaf, signal }));
      break;
    }
    case "serve": {
      const server = serve(serveRequestSchema.parse(request), PROBE_SERVER_PORT);
      ending.signal.addEventListener("abort", () => server.close());
      break;
    }
    case "call":
      tell(await call(callRequestSchema.parse(request), ending.signal));
      break;
    default:
      throw new Error(`probe: no mode "${mode}"; there are gateways, serve and call`);
  }
}

function tell(report: object): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

try {
  await main(process.argv[2] ?? "");
} catch (error) {
  process.stderr.write(`probe: ${errorMessage(error)}\n`);
  process.exitCode = 1;
}
