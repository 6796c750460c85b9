import type { BedNode } from "../../test/bed/bed.ts";

/** What a load generator measured. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** A connection for each request instead of kept ones. */
  readonly newConnections: boolean;
}

const UNIT_MS: Record<string, number> = { us: 0.001, ms: 1, s: 1000 };

/**
 * Runs wrk with a node's network, so that it goes through kube-proxy as any client of the node does.
 * @throws Error when wrk failed or counted errors: a figure over failed requests says nothing.
 */
export async function runLoad(node: BedNode, options: LoadOptions): Promise<LoadResult> {
  const { url, connections, seconds, newConnections } = options;
  const header = newConnections ? ["-H", "Connection: close"] : [];
  const args = ["wrk", "-t1", `-c${connections}`, `-d${seconds}s`, "--latency", ...header, url];
  await node.exec(["sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535"]);
  const { stdout, stderr, code } = await node.exec(args, { timeoutMs: (seconds + 30) * 1000 });
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${stderr || stdout}`);
  return parseWrk(stdout);
}

/** Reads wrk's report. @throws Error when it tells of failed requests or lacks a figure. */
export function parseWrk(report: string): LoadResult {
  const failed = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(report)?.[0];
  // A closed connection is counted as a read error by wrk when the answer says Connection: close.
  if (
    failed !== undefined &&
    !/^Socket errors: connect 0, read \d+, write 0, timeout 0$/.test(failed)
  ) {
    throw new Error(`requests failed: ${failed}`);
  }
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(report)?.[1];
  if (rate === undefined) throw new Error(`no rate in the report of wrk: ${report}`);
  return {
    requestsPerSecond: Number(rate),
    p50Ms: latency(report, "50"),
    p99Ms: latency(report, "99"),
  };
}

function latency(report: string, percent: string): number {
  const [, value, unit = ""] =
    new RegExp(`\\s${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(report) ?? [];
  const unitMs = UNIT_MS[unit];
  if (value === undefined || unitMs === undefined)
    throw new Error(`no ${percent}% in the report of wrk`);
  return Number(value) * unitMs;
}
