import { createInterface } from "node:readline";
import type { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import type { KubeObject, Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { poll } from "../bed/poll.ts";
import { openPodLog } from "./pod-log.ts";
import { connectedPodSpec } from "./pod-spec.ts";
import type { RequestRecord } from "./request-record.ts";
import { STEADY_LOAD_PROGRAM } from "./steady-load-program.ts";

const lineSchema = z.object({
  atMs: z.number(),
  requests: z.array(z.tuple([z.number(), z.number(), z.string()])),
});

export interface SteadyLoadOptions {
  readonly client: KubeClient;
  readonly kubeConfig: KubeConfig;
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  /** Name of a Service, at port 80. */
  readonly host: string;
  /** Requests a second, each over a connection of its own. */
  readonly rate: number;
  readonly timeoutMs: number;
}

const POD_TIMEOUT_MS = 60_000;

/** A pod that asks a web server at a steady rate and tells of every request a tenth of a second later. */
export class SteadyLoad {
  /** In the order in which they ended, nearly. */
  readonly records: RequestRecord[] = [];
  readonly #options: SteadyLoadOptions;
  readonly #abort = new AbortController();

  private constructor(options: SteadyLoadOptions) {
    this.#options = options;
  }

  /** Creates the pod and resolves once its first request was heard of. */
  static async start(options: SteadyLoadOptions): Promise<SteadyLoad> {
    const load = new SteadyLoad(options);
    const { client, namespace, name } = options;
    await client.create(RESOURCES.pods, loadPod(options));
    await poll(
      `pod ${namespace}/${name} runs`,
      async () =>
        (await client.get<Pod>(RESOURCES.pods, { namespace, name })).status?.phase === "Running",
      { timeoutMs: POD_TIMEOUT_MS },
    );
    await load.#follow();
    await poll("the first request of the load", () => load.records.length > 0, {
      timeoutMs: POD_TIMEOUT_MS,
    });
    return load;
  }

  /**
   * Waits until the last `inARow` requests that were told of since `sinceMs` were all answered by one cluster.
   * @throws Error with the last outcome when that takes longer.
   */
  async untilSteady(
    cluster: string,
    options: { inARow: number; sinceMs: number; timeoutMs: number; signal?: AbortSignal },
  ): Promise<void> {
    const { inARow, sinceMs, timeoutMs, signal } = options;
    const isSteady = () => {
      const recent = this.records.slice(-inARow);
      const odd = recent.findLast((each) => each.cluster !== cluster || each.beganMs < sinceMs);
      if (odd === undefined && recent.length === inARow) return true;
      throw new Error(odd?.failure ?? odd?.cluster ?? "too few requests");
    };
    await poll(`${inARow} answers in a row from ${cluster}`, isSteady, { timeoutMs, signal });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#options.client.remove(RESOURCES.pods, this.#options);
  }

  async #follow(): Promise<void> {
    const { kubeConfig } = this.#options;
    const query = new URLSearchParams({ follow: "true" });
    const input = await openPodLog(kubeConfig, this.#options, query, this.#abort.signal);
    const lines = createInterface({ input });
    lines.on("line", (line) => this.#hear(line));
    // The end of the stream, also by an error, shows as requests no longer coming.
    lines.on("error", () => undefined);
  }

  #hear(line: string): void {
    this.records.push(...readLine(line));
  }
}

/** Reads one line that the program wrote. */
function readLine(text: string): RequestRecord[] {
  const { atMs, requests } = lineSchema.parse(JSON.parse(text));
  return requests.map(([offsetMs, tookMs, outcome]) => {
    const isFailure = outcome.startsWith("!");
    return {
      beganMs: atMs + offsetMs,
      endedMs: atMs + offsetMs + tookMs,
      cluster: isFailure ? undefined : outcome,
      failure: isFailure ? outcome.slice(1) : undefined,
    };
  });
}

function loadPod(options: SteadyLoadOptions): KubeObject & { spec: unknown } {
  const { namespace, name, image, host, rate, timeoutMs } = options;
  const env = { HOST: host, RATE: String(rate), TIMEOUT_MS: String(timeoutMs) };
  const spec = connectedPodSpec({ name: "load", image, program: STEADY_LOAD_PROGRAM, env });
  return { metadata: { namespace, name }, spec };
}
