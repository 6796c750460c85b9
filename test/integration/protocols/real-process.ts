import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { HopelessError } from "../../bed/poll.ts";
import { eventually } from "../fixtures.ts";
import { freeEgressPort } from "../gateway/loopback.ts";
import { tcpSockets } from "./tcp-table.ts";

/** A client or server of others, as a process of its own. */
export class RealProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #gone: Promise<void>;
  #stdout = "";
  #stderr = "";

  constructor(argv: readonly string[]) {
    // The kernel ends it with us, should we be killed before we can.
    this.#child = spawn("setpriv", ["--pdeathsig=KILL", "--", ...argv]);
    this.#child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#stdout += text));
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    // One that ends without reading its input is no failure of ours.
    this.#child.stdin.on("error", () => undefined);
    this.#gone = new Promise((resolve) => this.#child.once("close", () => resolve()));
  }

  /** What it printed so far. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Writes to its standard input, and waits until it has taken it, or has ended. */
  async write(data: string | Buffer): Promise<void> {
    if (this.#child.stdin.write(data)) return;
    await Promise.race([once(this.#child.stdin, "drain"), this.#gone]);
  }

  /** Ends its standard input. */
  endInput(): void {
    this.#child.stdin.end();
  }

  /** Sends a signal and does not wait. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with its exit code, or the signal's name, once it ended and all it printed was read. */
  async ended(): Promise<number | string> {
    await this.#gone;
    return this.#child.exitCode ?? this.#child.signalCode ?? "unknown";
  }

  /** Ends it, if it runs, and waits until it is gone. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.running) this.signal(signal);
    await this.#gone;
  }
}

/** Starts a process that is ended with the test. */
export function startProcess(argv: readonly string[]): RealProcess {
  const started = new RealProcess(argv);
  onTestFinished(async () => await started.stop());
  return started;
}

/** A server, and its port on loopback. */
export interface RealServer {
  readonly process: RealProcess;
  readonly port: number;
}

/**
 * Starts a server on a free port of loopback and waits until it listens; the
 * caller ends it.
 *
 * @throws Error with what it printed, when it ends instead
 */
export async function launchServer(argv: (port: number) => string[]): Promise<RealServer> {
  const port = await freeEgressPort();
  const command = argv(port);
  const server = new RealProcess(command);
  try {
    await eventually(
      async () => {
        if (!server.running) {
          throw new HopelessError(`${command.join(" ")} has ended: ${server.stderr}`);
        }
        const sockets = await tcpSockets();
        const listens = sockets.some(
          ({ localPort, state }) => localPort === port && state === "LISTEN",
        );
        if (!listens) throw new Error(`nobody listens; it printed ${server.stderr}`);
      },
      { describe: `${command[0] ?? ""} listens on ${port}` },
    );
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { process: server, port };
}

/** As {@link launchServer}, ended with the test. */
export async function startServer(argv: (port: number) => string[]): Promise<RealServer> {
  const server = await launchServer(argv);
  onTestFinished(async () => await server.process.stop());
  return server;
}
