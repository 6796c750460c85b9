import { once } from "node:events";
import { type ConnectionOptions, type TLSSocket, connect } from "node:tls";
import { onTestFinished } from "vitest";
import { gatewayIdentity, peerServerName } from "../../../api/names.ts";
import { clientTlsOptions } from "../../../pki/tls.ts";
import { eventually } from "../fixtures.ts";
import {
  FLAG,
  FRAME,
  type Frame,
  HEAD_BYTES,
  PREFACE,
  SETTING,
  frame,
  ping,
  settings,
  statusOf,
} from "./raw-frames.ts";
import type { Identity } from "./two-gateways.ts";

/** HTTP/2 by hand over a real mTLS session: writes whatever bytes a test likes, reads frames. */

/** How a session ended: by a GOAWAY with this code, by the connection's end, or by an error. */
export type RawEnding = { goaway: number } | { error: string } | "end";

/** A session of which the test writes every byte. Acknowledges SETTINGS and PINGs unless told not to. */
export class RawSession {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  /** Answers SETTINGS and PING as a peer must. */
  acknowledges = true;
  /** Sees each frame as it arrives. */
  onFrame: (frame: Frame) => void = () => undefined;
  #received = Buffer.alloc(0);
  #toSkip: number;
  #ending: RawEnding | undefined;

  /** `skipBytes`: of the beginning, a client's preface where the test is the server. */
  constructor(socket: TLSSocket, skipBytes = 0) {
    this.socket = socket;
    this.#toSkip = skipBytes;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#ending ??= { error: error.code ?? error.message };
    });
    socket.on("close", () => (this.#ending ??= "end"));
  }

  /** How the server ended it, undefined while it has not. */
  get ending(): RawEnding | undefined {
    return this.#ending;
  }

  /** Writes bytes; resolves when the kernel took them, or when the connection is gone. */
  async send(...bytes: readonly Buffer[]): Promise<void> {
    if (this.socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.socket.write(Buffer.concat(bytes), () => resolve());
    });
  }

  /** The first frame received that `matches`, waited for; rejects when none comes. */
  async until(what: string, matches: (frame: Frame) => boolean): Promise<Frame> {
    return await eventually(
      () => {
        const found = this.frames.find(matches);
        if (found === undefined) throw new Error(this.seen());
        return found;
      },
      { describe: what },
    );
  }

  /** The status that a stream was answered with; rejects when there is no answer. */
  async status(streamId: number): Promise<number> {
    const answer = await this.until(
      `an answer on stream ${streamId}`,
      ({ type, streamId: id }) => type === FRAME.headers && id === streamId,
    );
    return statusOf(answer.payload);
  }

  /** How the server ended the session; rejects when it does not. */
  async ended(): Promise<RawEnding> {
    return await eventually(
      () => {
        if (this.#ending === undefined) throw new Error(this.seen());
        return this.#ending;
      },
      { describe: "the session is ended" },
    );
  }

  /** Whether the session still answers a PING. */
  async answersPing(): Promise<boolean> {
    const before = this.frames.filter(isPong).length;
    await this.send(ping());
    return await eventually(
      () => {
        if (this.#ending !== undefined) return false;
        if (this.frames.filter(isPong).length === before) throw new Error(this.seen());
        return true;
      },
      { describe: "an answer to a PING" },
    );
  }

  seen(): string {
    const frames = this.frames
      .slice(-5)
      .map(({ type, flags, streamId }) => [type, flags, streamId]);
    return `${JSON.stringify(this.#ending)} after ${this.frames.length} frames, the last ${JSON.stringify(frames)}`;
  }

  #read(chunk: Buffer): void {
    const skipped = Math.min(this.#toSkip, chunk.length);
    this.#toSkip -= skipped;
    this.#received = Buffer.concat([this.#received, chunk.subarray(skipped)]);
    for (;;) {
      if (this.#received.length < HEAD_BYTES) return;
      const end = HEAD_BYTES + this.#received.readUIntBE(0, 3);
      if (this.#received.length < end) return;
      const received = {
        type: this.#received.readUInt8(3),
        flags: this.#received.readUInt8(4),
        streamId: this.#received.readUInt32BE(5),
        payload: this.#received.subarray(HEAD_BYTES, end),
      };
      this.#received = this.#received.subarray(end);
      this.frames.push(received);
      this.#react(received);
      this.onFrame(received);
    }
  }

  #react({ type, flags, payload }: Frame): void {
    if (type === FRAME.goaway) {
      const code = payload.readUInt32BE(4);
      // NO_ERROR only announces a drain.
      if (code !== 0) this.#ending ??= { goaway: code };
    }
    if (!this.acknowledges || (flags & FLAG.ack) !== 0) return;
    if (type === FRAME.settings) void this.send(frame(type, { flags: FLAG.ack }));
    if (type === FRAME.ping) void this.send(frame(type, { flags: FLAG.ack, payload }));
  }
}

export interface RawSessionOptions {
  port: number;
  /** Whose certificate is shown, and named by the SNI. */
  as: Identity;
  /** Whose gateway is expected. */
  to: Identity;
  /** What is written first; the preface and SETTINGS without a dynamic table when absent. */
  opening?: Buffer;
  /** Answers SETTINGS and PING as a peer must; true when absent. */
  acknowledges?: boolean;
  tls?: ConnectionOptions;
}

/** Connects with mutual TLS and writes the opening; ended with the test. Rejects when the handshake fails. */
export async function openRawSession(options: RawSessionOptions): Promise<RawSession> {
  const { port, as, to } = options;
  const socket = connect({
    ...clientTlsOptions({
      leaf: as.leaf,
      bundlePem: to.ca.certificatePem,
      identity: gatewayIdentity(to.name),
      serverName: peerServerName(as.name),
    }),
    host: "127.0.0.1",
    port,
    ...options.tls,
  });
  onTestFinished(() => void socket.destroy());
  const session = new RawSession(socket);
  session.acknowledges = options.acknowledges ?? true;
  await once(socket, "secureConnect");
  // Without a dynamic table each answer can be read by itself.
  const opening =
    options.opening ?? Buffer.concat([PREFACE, settings([SETTING.headerTableSize, 0])]);
  await session.send(opening);
  return session;
}

function isPong({ type, flags }: Frame): boolean {
  return type === FRAME.ping && (flags & FLAG.ack) !== 0;
}
