import { setImmediate as nextTurn } from "node:timers/promises";
import {
  FLAG,
  FRAME,
  connectRequest,
  frame,
  headerBlock,
  headers,
  ping,
  rstStream,
  settings,
  windowUpdate,
} from "./raw-frames.ts";
import type { RawSession } from "./raw-session.ts";

/** Floods of frames, for tests and benches: each makes the frames of turn 0, 1, 2, … */
export type Flood = (turn: number) => Buffer;

/** Streams 1 and 3 are a test's own: open, and closed. */
const OPEN = 1;
const CLOSED = 3;
const streamOf = (turn: number) => 2 * turn + 11;
const FEW_BYTES = Buffer.alloc(4);
const AUTHORITY = [
  [":method", "CONNECT"],
  [":authority", "web.shop.svc:80"],
] as const;

/** A request whose header block does not end, and what goes on with it. */
function endlessHeaders(fragment: Uint8Array): Flood {
  return (turn) =>
    turn === 0
      ? headers(streamOf(0), AUTHORITY, 0)
      : frame(FRAME.continuation, { streamId: streamOf(0), payload: fragment });
}

/** A request, and at once a frame for its stream. */
function requestAnd(follow: (streamId: number) => Buffer): Flood {
  return (turn) => Buffer.concat([connectRequest(streamOf(turn)), follow(streamOf(turn))]);
}

const always =
  (bytes: Buffer): Flood =>
  () =>
    bytes;

/** Names are those of docs/LIMITS.md. */
export const FLOODS = {
  "rapid reset": requestAnd((streamId) => rstStream(streamId)),
  "MadeYouReset by a window update of 0": requestAnd((streamId) => windowUpdate(streamId, 0)),
  "MadeYouReset by a window that overflows": requestAnd((streamId) =>
    windowUpdate(streamId, 2 ** 31 - 1),
  ),
  "MadeYouReset by a PRIORITY of the wrong length": requestAnd((streamId) =>
    frame(FRAME.priority, { streamId, payload: FEW_BYTES }),
  ),
  "MadeYouReset by too many header fields": (turn) =>
    headers(streamOf(turn), [
      ...AUTHORITY,
      ...Array.from({ length: 40 }, () => ["a", "b"] as const),
    ]),
  "MadeYouReset by a header field in upper case": (turn) =>
    headers(streamOf(turn), [...AUTHORITY, ["A", "b"]]),
  "header fields that are too long": (turn) =>
    headers(streamOf(turn), [...AUTHORITY, ["a", "b".repeat(5000)]]),
  "header fields without name or value": (turn) =>
    headers(streamOf(turn), [...AUTHORITY, ...Array.from({ length: 40 }, () => ["", ""] as const)]),
  // 0xbe: the newest of the dynamic table, of 3000 bytes, 50 times.
  "HPACK bomb": (turn) =>
    frame(FRAME.headers, {
      flags: FLAG.endHeaders,
      streamId: streamOf(turn),
      payload: Buffer.concat([
        headerBlock(AUTHORITY),
        Buffer.of(0x40),
        headerBlock([["a", "b".repeat(3000)]]).subarray(1),
        Buffer.alloc(50, 0xbe),
      ]),
    }),
  "requests that are refused": (turn) => connectRequest(streamOf(turn), "web.shop.svc:82"),
  "CONTINUATION without bytes": endlessHeaders(new Uint8Array()),
  "CONTINUATION with header fields": endlessHeaders(headerBlock([["a", "b"]])),
  PING: always(ping()),
  "answers to no PING": always(ping(FLAG.ack)),
  SETTINGS: always(settings()),
  "answers to no SETTINGS": always(frame(FRAME.settings, { flags: FLAG.ack })),
  "SETTINGS with too many entries": always(
    settings(...Array.from({ length: 33 }, () => [0xff, 0] as const)),
  ),
  "DATA without bytes": always(frame(FRAME.data, { streamId: OPEN })),
  "DATA of padding": always(
    frame(FRAME.data, {
      streamId: OPEN,
      flags: FLAG.padded,
      payload: Buffer.concat([Buffer.of(255), Buffer.alloc(255)]),
    }),
  ),
  "DATA for a closed stream": always(
    frame(FRAME.data, { streamId: CLOSED, payload: Buffer.alloc(1024) }),
  ),
  "RST_STREAM for a closed stream": always(rstStream(CLOSED)),
  "window updates of one byte": always(windowUpdate(0, 1)),
  "window updates of a closed stream": always(windowUpdate(CLOSED, 1)),
  "window updates of 0": always(windowUpdate(0, 0)),
  PRIORITY: always(frame(FRAME.priority, { streamId: OPEN, payload: Buffer.of(0, 0, 0, 0, 1) })),
  PRIORITY_UPDATE: always(frame(0x10, { payload: Buffer.of(0, 0, 0, OPEN) })),
  ALTSVC: always(frame(0x0a, { payload: FEW_BYTES })),
  "frames of an unknown type": always(frame(0xee, { payload: FEW_BYTES })),
  GOAWAY: always(frame(FRAME.goaway, { payload: Buffer.alloc(8) })),
} satisfies Record<string, Flood>;

/** Frames in one write: many, so that the gateway does not get by with one look at a time. */
const BATCH = 100;

/**
 * Sends a flood as fast as the gateway takes it, until the session has ended,
 * `maxTurns` are sent or `signal` aborts. Returns how many turns were sent.
 */
export async function sendFlood(
  session: RawSession,
  flood: Flood,
  options: { maxTurns: number; signal?: AbortSignal },
): Promise<number> {
  let turn = 0;
  while (turn < options.maxTurns && session.ending === undefined && !session.socket.destroyed) {
    if (options.signal?.aborted === true) break;
    const first = turn;
    await session.send(...Array.from({ length: BATCH }, (_, index) => flood(first + index)));
    turn += BATCH;
    // What has arrived meanwhile is to be read.
    await nextTurn();
  }
  return turn;
}
