import type { IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import type { KubeObject, Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { poll } from "../bed/poll.ts";
import { CALLER_PROGRAM } from "./caller-program.ts";
import { openPodLog } from "./pod-log.ts";
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
  /** Index of the URL that was called, when there are several. */
  target: z.number().exactOptional(),
});

/** One connection that a caller made, and what came of it. */
export type Attempt = Readonly<z.infer<typeof attemptSchema>>;

/** Says in a few words what came of an attempt. */
export function outcomeOf(attempt: Attempt | undefined): string {
  if (attempt === undefined) return "no attempt yet";
  if (attempt.waitingFor !== undefined) return `no ${attempt.waitingFor} in time`;
  return attempt.code ?? `${attempt.status ?? "?"} ${(attempt.body ?? "").trim()}`;
}

export interface CallerOptions {
  readonly client: KubeClient;
  readonly kubeConfig: KubeConfig;
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  /** URL to call, each time over a new connection with the name resolved anew; of several, each as often as one. */
  readonly target: string | readonly string[];
  readonly periodMs?: number;
  /** The pod's node; any by default. */
  readonly nodeName?: string;
  /** Calls with the node's own network, as the node itself would. */
  readonly hostNetwork?: boolean;
  readonly timeoutMs?: number;
  /**
   * Whether attempts are heard of as they come, which ends with the first loss of the connection to the API server;
   * otherwise whenever they are collected. Default: true.
   */
  readonly follow?: boolean;
}

const POD_TIMEOUT_MS = 60_000;

/** A pod that calls a URL at a steady rate and tells of every attempt. */
export class Caller {
  readonly attempts: Attempt[] = [];
  readonly #options: CallerOptions;
  readonly #abort = new AbortController();
  /** The lines of the log that were collected last, each after its time. */
  #collected: ReadonlySet<string> = new Set();

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
    if (options.follow !== false) await caller.#follow();
    const firstAttempt = async () => {
      await caller.collect();
      return caller.attempts[0];
    };
    await poll("the first attempt", firstAttempt, { timeoutMs: POD_TIMEOUT_MS });
    return caller;
  }

  /** Hears of the attempts since the last time; those of a caller that is followed come by themselves. */
  async collect(): Promise<void> {
    if (this.#options.follow !== false) return;
    const [sinceTime] = [...this.#collected].at(-1)?.split(" ") ?? [];
    const query = new URLSearchParams({ timestamps: "true", ...(sinceTime && { sinceTime }) });
    const log = await text(await this.#openLog(query));
    // The last line may not be whole yet.
    const lines = log.split("\n").slice(0, -1);
    for (const line of lines) {
      if (!this.#collected.has(line)) this.#hear(line.slice(line.indexOf(" ") + 1));
    }
    if (lines.length > 0) this.#collected = new Set(lines);
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
    const lines = createInterface({
      input: await this.#openLog(new URLSearchParams({ follow: "true" })),
    });
    lines.on("line", (line) => this.#hear(line));
    // The end of the stream, also by an error, shows as attempts no longer coming.
    lines.on("error", () => undefined);
  }

  #openLog(query: URLSearchParams): Promise<IncomingMessage> {
    return openPodLog(this.#options.kubeConfig, this.#options, query, this.#abort.signal);
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
    program: CALLER_PROGRAM,
    env: {
      TARGETS: JSON.stringify(typeof target === "string" ? [target] : target),
      PERIOD_MS: String(periodMs),
      TIMEOUT_MS: String(timeoutMs),
    },
  });
  const placement = {
    ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
    ...(options.hostNetwork ? { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" } : {}),
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name },
    spec: { ...spec, ...placement },
  } as KubeObject;
}
