import { type Socket, connect } from "node:net";
import { KEEP_ALIVE_MS } from "../stream/tunnel.ts";
import type { Target } from "./endpoint-index.ts";

/**
 * Connects to the first of the targets that answers within `timeoutMs`, tried
 * one after the other. Resolves to undefined when none does, or when `signal`
 * aborts. The socket is half-open and not yet read.
 */
export async function dial(
  targets: readonly Target[],
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<Socket | undefined> {
  for (const target of targets) {
    if (options.signal.aborted) return undefined;
    const socket = await dialOne(target, options);
    if (socket !== undefined) return socket;
  }
  return undefined;
}

function dialOne(
  { address, port }: Target,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({
      host: address,
      port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    const abandon = () => socket.destroy();
    const timer = setTimeout(abandon, timeoutMs);
    signal.addEventListener("abort", abandon, { once: true });
    const settle = (result: Socket | undefined) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abandon);
      socket.off("close", failed);
      resolve(result);
    };
    const failed = () => settle(undefined);
    // `close` follows and decides.
    socket.on("error", () => undefined);
    socket.once("close", failed);
    socket.once("connect", () => settle(socket));
  });
}
