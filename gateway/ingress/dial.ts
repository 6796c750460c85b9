import { type Socket, connect } from "node:net";
import { ignore } from "../stream/ignore.ts";
import { KEEP_ALIVE_MS } from "../stream/tunnel.ts";
import type { Target } from "./endpoint-index.ts";

export interface DialOptions {
  /** For each target. */
  timeoutMs: number;
  signal: AbortSignal;
  /** A target did not answer in time. */
  onTimeout?: () => void;
}

/** A connection, half-open and not yet read, and what it leads to. */
export interface Dialled {
  readonly socket: Socket;
  readonly target: Target;
}

/**
 * Connects to the first of the targets that answers within `timeoutMs`, tried
 * one after the other. Resolves to undefined when none does, or when `signal`
 * aborts.
 */
export async function dial(
  targets: readonly Target[],
  options: DialOptions,
): Promise<Dialled | undefined> {
  for (const target of targets) {
    if (options.signal.aborted) return undefined;
    const socket = await dialOne(target, options);
    if (socket !== undefined) return { socket, target };
  }
  return undefined;
}

function dialOne(
  { address, port }: Target,
  { timeoutMs, signal, onTimeout }: DialOptions,
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
    const timer = setTimeout(() => {
      onTimeout?.();
      abandon();
    }, timeoutMs);
    signal.addEventListener("abort", abandon, { once: true });
    const settle = (result: Socket | undefined) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abandon);
      socket.off("close", failed);
      resolve(result);
    };
    const failed = () => settle(undefined);
    socket.on("error", ignore);
    socket.on("close", failed);
    socket.once("connect", () => settle(socket));
  });
}
