import type { Http2Stream, ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** A connection that a stream is joined to, and when bytes were last seen to have moved. */
interface Tunnel {
  readonly stream: Http2Stream;
  readonly socket: Socket;
  bytes: number;
  movedAtMs: number;
}

/** Beside its payload a stream may cost this much: its HEADERS, its RST_STREAM. */
const STREAM_BYTES = 512;
/** Of a stream that was cut off, this much may still have been under way. */
const CUT_BYTES = 256 * 1024;
/** WINDOW_UPDATE frames that are honest answers to what was sent: 26 bytes for 208 at most. */
const UPDATE_SHARE = 1 / 8;
/** Adding up what tunnels carried or hold takes up to 2 µs each: a thousand of them a second. */
const TUNNELS_PER_SECOND = 1000;
const IDLE_PART = 1 / 16;

/** What one session of a consumer did: which streams, how many bytes, and how many of those carried nothing. */
export class SessionAccount {
  readonly #session: ServerHttp2Session;
  readonly #socket: TLSSocket;
  readonly #tunnels = new Set<Tunnel>();
  #opened = 0;
  #unseen = 0;
  #endedBytesIn = 0;
  #cut = 0;
  #overheadBytes = 0;
  #countedBytesRead = 0;
  #countedPayloadBytes = 0;
  #countedAtMs: number;
  #progressAtMs: number;
  #deliveredBytes = 0;
  #bufferedBytes = 0;
  #bufferedAtMs: number;
  #idleAtMs: number;

  constructor(session: ServerHttp2Session, socket: TLSSocket, nowMs: number) {
    this.#session = session;
    this.#socket = socket;
    this.#countedAtMs = nowMs;
    this.#progressAtMs = nowMs;
    this.#bufferedAtMs = nowMs;
    this.#idleAtMs = nowMs;
  }

  /** A whole frame, or the answer to one of ours, has arrived. */
  progress(nowMs: number): void {
    this.#progressAtMs = nowMs;
  }

  opened(): void {
    this.#opened += 1;
  }

  /** Watches a stream's connection until the stream closes. */
  carry(stream: Http2Stream, socket: Socket, nowMs: number): void {
    const tunnel = { stream, socket, bytes: 0, movedAtMs: nowMs };
    this.#tunnels.add(tunnel);
    stream.once("close", () => {
      this.#tunnels.delete(tunnel);
      this.#endedBytesIn += socket.bytesWritten;
      if (stream.rstCode !== 0) this.#cut += 1;
    });
  }

  /**
   * Bytes of payload read from one side that the other has not taken; of
   * before, when they were counted a short while ago and `again` is false.
   */
  bufferedBytes(nowMs: number, again: boolean): number {
    if (!again && nowMs - this.#bufferedAtMs < this.#countingPauseMs) return this.#bufferedBytes;
    let bytes = 0;
    for (const { stream, socket } of this.#tunnels) {
      bytes += stream.readableLength + stream.writableLength + socket.writableLength;
    }
    this.#bufferedAtMs = nowMs;
    this.#bufferedBytes = bytes;
    return bytes;
  }

  /**
   * Streams that the consumer opened since the last call which node:http2
   * reset by itself, for their header fields, without telling of them.
   */
  takeUnseenStreams(): number {
    const { lastProcStreamID = 0 } = this.#session.state;
    // A client's streams have odd numbers.
    const unseen = Math.max(Math.ceil(lastProcStreamID / 2) - this.#opened, this.#unseen);
    const fresh = unseen - this.#unseen;
    this.#unseen = unseen;
    return fresh;
  }

  /**
   * Bytes since the last call that carried nothing: neither payload, nor the
   * frames that streams and honest window updates take. Padding, frames for
   * streams that are closed, window updates of one byte. `freeBytes` of them
   * are not looked at. `nowMs` in ms.
   */
  takeOverheadBytes(nowMs: number, freeBytes: number): number {
    const { bytesRead } = this.#socket;
    const isEarly = nowMs - this.#countedAtMs < this.#countingPauseMs;
    if (bytesRead - this.#countedBytesRead <= freeBytes || isEarly) return 0;
    this.#countedBytesRead = bytesRead;
    this.#countedAtMs = nowMs;
    const payloadBytes = this.#payloadBytes();
    const overheadBytes =
      bytesRead -
      payloadBytes -
      STREAM_BYTES * (this.#opened + this.#unseen) -
      CUT_BYTES * this.#cut -
      UPDATE_SHARE * this.#socket.bytesWritten;
    // Each byte of payload may have cost as much again in frames.
    const freshBytes =
      overheadBytes - this.#overheadBytes - (payloadBytes - this.#countedPayloadBytes);
    this.#overheadBytes = overheadBytes;
    this.#countedPayloadBytes = payloadBytes;
    return Math.max(freshBytes, 0);
  }

  /** How long bytes have come, or nothing has, without a whole frame. */
  stalledMs(nowMs: number, boundMs: number): number {
    if (nowMs - this.#progressAtMs > boundMs) {
      // An upload leaves no room for the answer to a PING: what it delivers is progress, too.
      const deliveredBytes = this.#payloadBytes();
      if (deliveredBytes !== this.#deliveredBytes) this.#progressAtMs = nowMs;
      this.#deliveredBytes = deliveredBytes;
    }
    return nowMs - this.#progressAtMs;
  }

  /**
   * The streams on which no byte moved, in either direction, for `timeoutMs` or
   * longer. Looks at them no more often than each sixteenth of that.
   */
  idleStreams(nowMs: number, timeoutMs: number): Http2Stream[] {
    const idle: Http2Stream[] = [];
    if (nowMs - this.#idleAtMs < timeoutMs * IDLE_PART) return idle;
    this.#idleAtMs = nowMs;
    for (const tunnel of this.#tunnels) {
      const bytes = tunnel.socket.bytesRead + tunnel.socket.bytesWritten;
      if (bytes !== tunnel.bytes) {
        tunnel.bytes = bytes;
        tunnel.movedAtMs = nowMs;
      } else if (nowMs - tunnel.movedAtMs >= timeoutMs) {
        idle.push(tunnel.stream);
      }
    }
    return idle;
  }

  get #countingPauseMs(): number {
    return (1000 * this.#tunnels.size) / TUNNELS_PER_SECOND;
  }

  /** Bytes of payload that arrived. */
  #payloadBytes(): number {
    let bytes = this.#endedBytesIn;
    for (const { stream, socket } of this.#tunnels) {
      bytes += stream.readableLength + socket.bytesWritten;
    }
    return bytes;
  }
}
