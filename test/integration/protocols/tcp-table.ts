import { readFile } from "node:fs/promises";

/** States of TCP sockets as the kernel numbers them (include/net/tcp_states.h), in hexadecimal. */
const STATES = new Map([
  ["01", "ESTABLISHED"],
  ["04", "FIN_WAIT1"],
  ["05", "FIN_WAIT2"],
  ["08", "CLOSE_WAIT"],
  ["0A", "LISTEN"],
]);

/** One TCP socket. */
export interface TcpSocket {
  readonly localPort: number;
  /** 0 while it listens. */
  readonly remotePort: number;
  /** `OTHER` for what no test looks at. */
  readonly state: string;
}

/** The TCP sockets of this network namespace: looking at them disturbs none, as a connection to try it would. */
export async function tcpSockets(): Promise<TcpSocket[]> {
  // A server of both families is in the second alone, even for its clients of IPv4.
  const tables = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((table) => readFile(table, "utf8")),
  );
  return tables
    .flatMap((table) => table.trimEnd().split("\n").slice(1))
    .map((line) => {
      const [, local = "", remote = "", state = ""] = line.trim().split(/\s+/);
      return {
        localPort: portOf(local),
        remotePort: portOf(remote),
        state: STATES.get(state) ?? "OTHER",
      };
    });
}

function portOf(address: string): number {
  return Number.parseInt(address.split(":")[1] ?? "", 16);
}
