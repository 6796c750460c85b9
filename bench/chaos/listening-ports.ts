/** State of a listening socket in /proc/net/tcp (the kernel's include/net/tcp_states.h). */
const LISTEN = "0A";

/** Local ports of the listening sockets in the text of /proc/PID/net/tcp or tcp6, in order. */
export function listeningPorts(table: string): number[] {
  const ports = table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state] = line.trim().split(/\s+/);
      return state === LISTEN ? [Number.parseInt(local.split(":")[1] ?? "", 16)] : [];
    });
  return [...new Set(ports)].toSorted((one, other) => one - other);
}
