import { text } from "node:stream/consumers";
import type { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import type { KubeObject } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { poll } from "../bed/poll.ts";
import { LOAD_PROGRAM } from "./load-program.ts";
import { openPodLog } from "./pod-log.ts";
import { connectedPodSpec } from "./pod-spec.ts";

const failureSchema = z.object({
  atMs: z.number(),
  tookMs: z.number(),
  /** Whether it was one over a kept connection. */
  kept: z.boolean(),
  code: z.string(),
  /** Of one that timed out: whether the answer was missing, not the connection. */
  isConnected: z.boolean(),
});

const streamEndSchema = z.object({
  beganMs: z.number(),
  endedMs: z.number(),
  /** Longest time between two bytes. */
  silentMs: z.number(),
  /** Whether it had been answered. */
  isOpen: z.boolean(),
  code: z.string(),
});

const countsSchema = z.object({
  atMs: z.number(),
  /** Requests over new connections. */
  answered: z.number(),
  keptAnswered: z.number(),
  openStreams: z.number(),
  /** Longest time between two answers over new connections, since the counts before. */
  longestGapMs: z.number(),
});

const lineSchema = z.object({
  failure: failureSchema.optional(),
  stream: streamEndSchema.optional(),
  counts: countsSchema.optional(),
});

/** A request that was not answered. */
export type LoadFailure = Readonly<z.infer<typeof failureSchema>>;
/** How a long stream ended; none ends by itself. */
export type StreamEnd = Readonly<z.infer<typeof streamEndSchema>>;

/** What a load has seen so far. */
export interface LoadReport {
  readonly failures: readonly LoadFailure[];
  readonly streamEnds: readonly StreamEnd[];
  /** The last ones. */
  readonly counts: Readonly<z.infer<typeof countsSchema>>;
  /** Longest time between two answers over new connections, of each second, with when that was over. */
  readonly gaps: readonly { readonly atMs: number; readonly gapMs: number }[];
}

export interface LoadOptions {
  readonly client: KubeClient;
  readonly kubeConfig: KubeConfig;
  readonly namespace: string;
  readonly name: string;
  readonly image: string;
  /** Name of a web server's Service, at port 80. */
  readonly host: string;
  /** Requests a second, each over a new connection. */
  readonly rate: number;
  /** Requests a second over connections that are kept. */
  readonly keptRate: number;
  /** Streams held open, each with a byte every half second. */
  readonly streams: number;
}

const START_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 5000;

/**
 * Pods that put a steady load on a web server and tell of whatever goes wrong. New connections come from a pod of their
 * own: a source port whose connection was reset from the other side stays bound to the same endpoint in conntrack for
 * 10 s, and a busy client meets its own freed ports again within that time.
 */
export class Load {
  readonly #options: LoadOptions;

  private constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Creates the pods and resolves once all streams are open. */
  static async start(options: LoadOptions): Promise<Load> {
    const { client, namespace, image, host, rate, keptRate, streams } = options;
    const load = new Load(options);
    const amounts = [
      { name: load.#pods[0], amount: { RATE: rate, KEPT_RATE: 0, STREAMS: 0 } },
      { name: load.#pods[1], amount: { RATE: 0, KEPT_RATE: keptRate, STREAMS: streams } },
    ];
    for (const { name, amount } of amounts) {
      const numbers = Object.entries({ ...amount, TIMEOUT_MS: REQUEST_TIMEOUT_MS });
      const env = {
        HOST: host,
        ...Object.fromEntries(numbers.map(([key, n]) => [key, String(n)])),
      };
      const spec = connectedPodSpec({ name: "load", image, program: LOAD_PROGRAM, env });
      const pod: KubeObject & { spec: unknown } = { metadata: { namespace, name }, spec };
      await client.create(RESOURCES.pods, pod);
    }
    const isUnderWay = async () => {
      const { counts } = await load.report();
      return counts.openStreams === streams && counts.answered > 0;
    };
    await poll("all streams of the load are open", isUnderWay, {
      timeoutMs: START_TIMEOUT_MS,
      intervalMs: 500,
    });
    return load;
  }

  /** @throws Error before the first counts are there. */
  async report(): Promise<LoadReport> {
    const [requests, streams] = await Promise.all(this.#pods.map((name) => this.#read(name)));
    if (requests === undefined || streams === undefined) throw new Error("no reports");
    const { keptAnswered, openStreams, atMs } = streams.counts;
    return {
      failures: [...requests.failures, ...streams.failures],
      streamEnds: streams.streamEnds,
      gaps: requests.gaps,
      counts: {
        ...requests.counts,
        keptAnswered,
        openStreams,
        atMs: Math.min(requests.counts.atMs, atMs),
      },
    };
  }

  async stop(): Promise<void> {
    const { client, namespace } = this.#options;
    await Promise.all(this.#pods.map((name) => client.remove(RESOURCES.pods, { namespace, name })));
  }

  get #pods(): readonly [string, string] {
    const { name } = this.#options;
    return [`${name}-requests`, `${name}-streams`];
  }

  async #read(name: string): Promise<LoadReport> {
    const { kubeConfig, namespace } = this.#options;
    const signal = AbortSignal.timeout(START_TIMEOUT_MS);
    const log = await text(
      await openPodLog(kubeConfig, { namespace, name }, new URLSearchParams(), signal),
    );
    // The last line may not be whole yet.
    const lines = log.split("\n").slice(0, -1);
    const told = lines.map((line) => lineSchema.parse(JSON.parse(line)));
    const allCounts = told.flatMap(({ counts: each }) => each ?? []);
    const counts = allCounts.at(-1);
    if (counts === undefined) throw new Error("the load has not counted anything yet");
    return {
      failures: told.flatMap(({ failure }) => failure ?? []),
      streamEnds: told.flatMap(({ stream }) => stream ?? []),
      gaps: allCounts.map(({ atMs, longestGapMs }) => ({ atMs, gapMs: longestGapMs })),
      counts,
    };
  }
}
