import { request, type RequestOptions } from "node:https";
import { createInterface } from "node:readline";
import type { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import type { KubeObject, Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { poll } from "../bed/poll.ts";
import { connectedPodSpec } from "./pod-spec.ts";

const attemptSchema = z.object({
  /** When it was begun, milliseconds since the epoch. */
  atMs: z.number(),
  tookMs: z.number(),
  /** HTTP status, when there was an answer. */
  status: z.number().exactOptional(),
  body: z.string().exactOptional(),
  /** System error code, when there was none: ECONNREFUSED, ECONNRESET, ENOTFOUND, ETIMEDOUT, … */
  code: z.string().exactOptional(),
  /** What a timed out attempt was waiting for. */
  waitingFor: z.literal(["lookup", "connect", "answer"]).exactOptional(),
});

/** One connection that a caller made, and what came of it. */
export type Attempt = Readonly<z.infer<typeof attemptSchema>>;

/** Says in a few words what came of an attempt. */
export function outcomeOf(attempt: Attempt | undefined): string {
  if (attempt === undefined) return "no attempt yet";
  if (attempt.waitingFor !== undefined) return `no ${attempt.waitingFor} in time`;
  return attempt.code ?? `${attempt.status ?? "?"} ${(attempt.body ?? "").trim()}`;
}

const PROGRAM = `
const http = require("node:http");
const { TARGET, PERIOD_MS, TIMEOUT_MS } = process.env;
const call = () => {
  const atMs = Date.now();
  const began = performance.now();
  let told = false;
  let waitingFor = "lookup";
  const tell = (outcome) => {
    if (told) return;
    told = true;
    const tookMs = Math.round((performance.now() - began) * 1000) / 1000;
    process.stdout.write(JSON.stringify({ atMs, tookMs, ...outcome }) + "\\n");
  };
  const waitFor = (what) => () => { waitingFor = what; };
  const request = http.get(TARGET, { agent: false }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (piece) => { body += piece; });
    response.on("end", () => tell({ status: response.statusCode, body }));
    response.on("error", (error) => tell({ code: error.code ?? "ERROR" }));
  });
  request.on("error", (error) => tell({ code: error.code ?? "ERROR" }));
  request.once("socket", (socket) => {
    socket.once("lookup", waitFor("connect"));
    socket.once("connect", waitFor("answer"));
  });
  setTimeout(() => { tell({ code: "ETIMEDOUT", waitingFor }); request.destroy(); }, Number(TIMEOUT_MS)).unref();
};
setInterval(call, Number(PERIOD_MS));
process.on("SIGTERM", () => process.exit(0));
`;

export interface CallerOptions {
  readonly client: KubeClient;
  readonly kubeConfig: KubeConfig;
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  /** URL to call, each time over a new connection with the name resolved anew. */
  readonly target: string;
  readonly periodMs?: number;
  readonly timeoutMs?: number;
}

const POD_TIMEOUT_MS = 60_000;

/** A pod that calls a URL at a steady rate and tells of every attempt. */
export class Caller {
  readonly attempts: Attempt[] = [];
  readonly #options: CallerOptions;
  readonly #abort = new AbortController();

  private constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** Creates the pod and resolves once its first attempt was heard of. */
  static async start(options: CallerOptions): Promise<Caller> {
    const caller = new Caller(options);
    await options.client.create(RESOURCES.pods, callerPod(options));
    await poll(
      `pod ${options.namespace}/${options.name} runs`,
      async () => {
        const pod = await options.client.get<Pod>(RESOURCES.pods, options);
        return pod.status?.phase === "Running" ? true : undefined;
      },
      { timeoutMs: POD_TIMEOUT_MS },
    );
    await caller.#follow();
    await poll("the first attempt", () => caller.attempts[0], { timeoutMs: POD_TIMEOUT_MS });
    return caller;
  }

  /** The first attempt begun at or after `sinceMs` of which `matches` is true. */
  async first(
    awaited: string,
    matches: (attempt: Attempt) => boolean,
    { sinceMs, timeoutMs }: { sinceMs: number; timeoutMs: number },
  ): Promise<Attempt> {
    const find = () => this.attempts.find((attempt) => attempt.atMs >= sinceMs && matches(attempt));
    try {
      return await poll(awaited, find, { timeoutMs, intervalMs: 10 });
    } catch (error) {
      throw new Error(`${awaited}: last attempt: ${outcomeOf(this.attempts.at(-1))}`, {
        cause: error,
      });
    }
  }

  /** Listens no longer and leaves the pod to go on calling. */
  release(): void {
    this.#abort.abort();
  }

  async stop(): Promise<void> {
    this.release();
    await this.#options.client.remove(RESOURCES.pods, this.#options);
  }

  async #follow(): Promise<void> {
    const { kubeConfig, namespace, name } = this.#options;
    const server = kubeConfig.getCurrentCluster()?.server ?? "";
    const options: RequestOptions = { signal: this.#abort.signal };
    await kubeConfig.applyToHTTPSOptions(options);
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/log?follow=true`;
    const outgoing = request(new URL(path, server), options, (response) => {
      const lines = createInterface({ input: response });
      lines.on("line", (line) => this.#hear(line));
      // The end of the stream, also by an error, shows as attempts no longer coming.
      lines.on("error", () => undefined);
    });
    outgoing.on("error", () => undefined);
    outgoing.end();
  }

  #hear(line: string): void {
    if (line.startsWith("{")) this.attempts.push(attemptSchema.parse(JSON.parse(line)));
  }
}

function callerPod(options: CallerOptions): KubeObject {
  const { namespace, name, image, target, periodMs = 20, timeoutMs = 5000 } = options;
  const spec = connectedPodSpec({
    name: "caller",
    image,
    program: PROGRAM,
    env: { TARGET: target, PERIOD_MS: String(periodMs), TIMEOUT_MS: String(timeoutMs) },
  });
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace, name }, spec } as KubeObject;
}
