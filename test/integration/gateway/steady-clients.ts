import { once } from "node:events";
import type { Socket } from "node:net";
import { onTestFinished } from "vitest";
import { dialMirror, hearWithin } from "./loopback.ts";

const PARALLEL = 2;
const BOUND_MS = 10_000;

/** Clients of a mirror that come one after another over new connections and want their word back. */
export interface SteadyClients {
  /** How those ended that began since the last call, and have ended. */
  endings(): string[];
  /** Ends them; how those ended that began since the last call of `endings`. */
  stop(): Promise<string[]>;
}

/** What a client hears that was served. */
export const ANSWERED = "xend";

/** Starts clients of a mirrored port, ended with the test. */
export function startClients(port: number): SteadyClients {
  const stopping = new AbortController();
  let generation = 0;
  let endings: string[] = [];
  onTestFinished(() => stopping.abort());
  const run = async () => {
    while (!stopping.signal.aborted) {
      const bornIn = generation;
      const ending = await hearWithin(BOUND_MS, port, "x");
      if (bornIn === generation) endings.push(ending);
    }
  };
  const running = Promise.all(Array.from({ length: PARALLEL }, run));
  return {
    endings() {
      const ended = endings;
      endings = [];
      generation += 1;
      return ended;
    },
    async stop() {
      stopping.abort();
      await running;
      return endings;
    },
  };
}

/** A connection through a mirror that is used now and then. */
export interface LongConnection {
  /** Resolves to what comes back, or to the code of the error that ended it. */
  echo(word: string): Promise<string>;
  readonly socket: Socket;
}

export async function openLong(port: number): Promise<LongConnection> {
  const socket = await dialMirror(port);
  const ended = new Promise<string>((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once("end", () => resolve("end"));
  });
  const long: LongConnection = {
    socket,
    async echo(word) {
      const heard = once(socket, "data").then(([data]: unknown[]) => String(data));
      socket.write(word);
      return await Promise.race([heard.catch(() => ended), ended]);
    },
  };
  await long.echo("open");
  return long;
}
