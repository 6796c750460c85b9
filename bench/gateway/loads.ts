import type { ProcessRecord } from "../../test/bed/processes.ts";
import { run } from "../../test/bed/command.ts";
import { parseWrk } from "../smoke/load.ts";
import { SERVER_PORTS } from "./subject.ts";
import type { World } from "./world.ts";

/** What one run measured, by name with the unit in it. */
export type Values = Readonly<Record<string, number>>;

export interface RequestOptions {
  readonly connections: number;
  readonly seconds: number;
  /** A connection for each request instead of kept ones. */
  readonly newConnections?: boolean;
  /** Failed connections are a figure, and no reason to give up. */
  readonly countsErrors?: boolean;
}

const SOCKET_ERRORS = /Socket errors: (.*)/;

/** Beyond its own time a load has this long to begin and to end. */
const GRACE_MS = 20_000;

/** Load generators, all at the client's place. */
export class Loads {
  readonly #world: World;
  readonly #tool: readonly string[];
  #bulkRuns = 0;

  constructor(world: World, tool: readonly string[]) {
    this.#world = world;
    this.#tool = tool;
  }

  /** HTTP/1.1 requests by wrk with one thread, on kept connections or each on its own. */
  async requests(target: string, options: RequestOptions): Promise<Values> {
    const { connections, seconds, newConnections = false, countsErrors = false } = options;
    const header = newConnections ? ["-H", "Connection: close"] : [];
    const shape = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency"];
    const argv = ["wrk", ...shape, ...header, `http://${target}/`];
    const timeoutMs = seconds * 1000 + GRACE_MS;
    if (!countsErrors) {
      const report = await this.#world.exec("client", argv, timeoutMs);
      return { requests: requestsOf(report), ...parseWrk(report) };
    }
    const { stdout } = await run(this.#world.argvAt("client", argv), { timeoutMs });
    return hardRequests(stdout, seconds);
  }

  /** One byte there and back on one connection, again and again. */
  async roundTrips(target: string, { seconds }: { seconds: number }): Promise<Values> {
    const argv = [...this.#tool, "roundtrips", target, String(seconds)];
    const values: Record<string, number> = JSON.parse(
      await this.#world.exec("client", argv, seconds * 1000 + GRACE_MS),
    );
    return values;
  }

  /** Bytes in writes of 8 KiB by iperf3, as fast as they go or paced; `down` is from server to client. */
  async bulk(
    target: string,
    options: { streams: number; seconds: number; down: boolean; megabitsPerStream?: number },
  ): Promise<Values> {
    const { streams, seconds, down, megabitsPerStream } = options;
    const [host = "", port = ""] = target.split(":");
    const shape = ["-l", "8K", "-P", String(streams), "-t", String(seconds), "-J"];
    const pace = megabitsPerStream === undefined ? [] : ["-b", `${megabitsPerStream}M`];
    const argv = ["iperf3", "-c", host, "-p", port, ...shape, ...pace, ...(down ? ["-R"] : [])];
    const server = await this.#startBulkServer();
    try {
      const report = await this.#world.exec("client", argv, seconds * 1000 + GRACE_MS);
      const bytes = bytesReceived(report);
      return { bytes, megabytesPerSecond: bytes / seconds / 1e6 };
    } finally {
      await this.#world.end([server]);
    }
  }

  /** A server of its own for each run: iperf3's is "busy" for a while after one that went through a proxy. */
  #startBulkServer(): Promise<ProcessRecord> {
    this.#bulkRuns += 1;
    const at = ["-B", this.#world.address("server"), "-p", String(SERVER_PORTS.bulk)];
    const argv = ["iperf3", "-s", "-1", "--forceflush", ...at];
    return this.#world.startAndAwait(`iperf3-${this.#bulkRuns}`, "server", argv, "listening");
  }
}

/** Requests that wrk counted. @throws Error when there is no such line. */
export function requestsOf(report: string): number {
  const requests = /^\s*(\d+) requests in /m.exec(report)?.[1];
  if (requests === undefined) throw new Error(`no requests in the report of wrk: ${report}`);
  return Number(requests);
}

/** Of a report that may tell of errors; without any answer the whole time was waited for one. */
export function hardRequests(report: string, seconds: number): Values {
  const unreachable = /^unable to connect/m.test(report);
  const requests = unreachable ? 0 : requestsOf(report);
  const errors = unreachable ? 1 : errorsOf(report);
  if (requests > 0) return { requests, errors, ...parseWrk(report.replace(SOCKET_ERRORS, "")) };
  return { requests, errors, requestsPerSecond: 0, p50Ms: seconds * 1000, p99Ms: seconds * 1000 };
}

/** Connections that failed or were cut, as wrk counted them: each attempt and each operation that failed. */
export function errorsOf(report: string): number {
  const counts = SOCKET_ERRORS.exec(report)?.[1]?.match(/\d+/g) ?? [];
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

interface IperfReport {
  readonly error?: string;
  readonly end?: { readonly sum_received?: { readonly bytes?: number } };
}

/** Bytes that reached the receiver, of all streams, from iperf3's JSON. @throws Error when iperf3 tells of one. */
export function bytesReceived(report: string): number {
  const { error, end }: IperfReport = JSON.parse(report);
  const bytes = end?.sum_received?.bytes;
  if (error !== undefined || bytes === undefined) throw new Error(`iperf3: ${error ?? "no bytes"}`);
  return bytes;
}
