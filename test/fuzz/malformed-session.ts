import type { Random } from "../../api/clock.ts";
import {
  FLAG,
  FRAME,
  PREFACE,
  connectRequest,
  frame,
  headerBlock,
  headers,
  ping,
  rstStream,
  settings,
  uint32,
  windowUpdate,
} from "../integration/gateway/raw-frames.ts";

/** What one hostile client writes. */
export interface MalformedSession {
  /** `h2`: within an authenticated session; `record`: below TLS after the handshake; `tcp`: in place of a handshake. */
  readonly layer: "h2" | "record" | "tcp";
  /** Written one after the other. */
  readonly chunks: readonly Buffer[];
  /** How it leaves. */
  readonly leaves: "orderly" | "reset" | "late";
}

/** A generator of numbers in [0, 1) that a seed determines (mulberry32, public domain). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One hostile client: mostly valid frames, some of them spoiled, or no frames at all. */
export function malformedSession(random: Random): MalformedSession {
  const layer = pick(random, ["h2", "h2", "h2", "h2", "h2", "h2", "record", "tcp"] as const);
  const leaves = pick(random, ["orderly", "reset", "late"] as const);
  if (layer === "tcp") return { layer, chunks: [garbageHandshake(random)], leaves };
  if (layer === "record") return { layer, chunks: [opening(random), record(random)], leaves };
  if (chance(random, 0.1)) {
    // What follows the preface is no frame at all, or there is no preface.
    const start = pick(random, [PREFACE, PREFACE.subarray(0, 12), Buffer.alloc(0)]);
    return { layer, chunks: [start, bytes(random, 4096)], leaves };
  }
  const frames = Array.from({ length: 1 + below(random, 24) }, () => validFrame(random));
  const begun = chance(random, 0.7) ? streamsInOrder(random) : [];
  const chunks = [opening(random), ...begun, ...spoil(random, frames)];
  return { layer, chunks: chance(random, 0.5) ? chunks : splitAnew(random, chunks), leaves };
}

function opening(random: Random): Buffer {
  return Buffer.concat([PREFACE, chance(random, 0.7) ? settings() : someSettings(random)]);
}

/** Streams as they should be, so that what follows meets open ones. */
function streamsInOrder(random: Random): Buffer[] {
  const ids = Array.from({ length: 1 + below(random, 4) }, (_, index) => 2 * index + 1);
  return ids.flatMap((id) => [
    connectRequest(id, pick(random, AUTHORITIES)),
    frame(FRAME.data, { streamId: id, payload: bytes(random, 2000) }),
  ]);
}

/** Small ids, mostly those that a client may open, each used again and again. */
function streamId(random: Random): number {
  return pick(random, [1, 1, 3, 5, 7, 9, 2, 0, 2 ** 31 - 1, below(random, 2 ** 31)]);
}

function validFrame(random: Random): Buffer {
  const id = streamId(random);
  switch (below(random, 14)) {
    case 0:
    case 1:
    case 2:
      return connectRequest(id, pick(random, AUTHORITIES));
    case 3:
      return frame(FRAME.data, {
        streamId: id,
        flags: pick(random, [0, 0, FLAG.endStream, FLAG.padded]),
        payload: bytes(random, 2000),
      });
    case 4:
      return rstStream(id, below(random, 20));
    case 5:
      return windowUpdate(id, pick(random, [0, 1, 65_535, 2 ** 31 - 1, 2 ** 32 - 1]));
    case 6:
      return ping(pick(random, [0, 0, FLAG.ack]));
    case 7:
      return someSettings(random);
    case 8:
      return frame(FRAME.priority, { streamId: id, payload: bytes(random, 6, 5) });
    case 9:
      return frame(FRAME.goaway, { payload: Buffer.concat([uint32(id), uint32(0)]) });
    case 10:
      return headers(id, someFields(random), pick(random, [0, FLAG.endHeaders, 5, 0x2c, 0xff]));
    case 11:
      return frame(FRAME.continuation, {
        streamId: id,
        flags: pick(random, [0, FLAG.endHeaders]),
        payload: headerBlock(someFields(random)),
      });
    case 12:
      // HPACK: indexes that do not exist, lengths beyond the end, size updates in the middle, broken Huffman codes.
      return frame(FRAME.headers, {
        streamId: id,
        flags: FLAG.endHeaders,
        payload: Buffer.concat([
          Buffer.of(pick(random, [0xff, 0x3f, 0x7f, 0x80, 0x20, 0x0f, 0x40])),
          bytes(random, 200),
        ]),
      });
    default:
      return frame(pick(random, [FRAME.pushPromise, 10, 12, 16, 255]), {
        streamId: id,
        flags: below(random, 256),
        payload: bytes(random, 64),
      });
  }
}

const AUTHORITIES = [
  "web.shop.svc:80",
  "web.shop.svc:80",
  "web.shop.svc:81",
  "127.0.0.1:80",
  "web\0.shop.svc:80",
  "",
  "a".repeat(5000),
];

function someSettings(random: Random): Buffer {
  const pairs = Array.from(
    { length: below(random, chance(random, 0.05) ? 2000 : 5) },
    () =>
      [
        pick(random, [1, 2, 3, 4, 5, 6, 8, 9, 0xffff]),
        pick(random, [0, 1, 2, 4096, 65_535, 2 ** 24, 2 ** 31 - 1, 2 ** 32 - 1]),
      ] as const,
  );
  return settings(...pairs);
}

function someFields(random: Random): [string, string][] {
  const names = [":method", ":authority", ":path", ":scheme", ":protocol", ":x", "host", "X", "te"];
  const values = ["CONNECT", "GET", "web.shop.svc:80", "/.isthmus/ready", "https", "", "a\0b"];
  return Array.from({ length: below(random, chance(random, 0.1) ? 300 : 6) }, () => [
    pick(random, names),
    pick(random, values),
  ]);
}

/** Some frames changed, doubled, dropped, reordered; most left as they are. */
function spoil(random: Random, frames: readonly Buffer[]): Buffer[] {
  const spoiled = frames.flatMap((valid) => {
    const one = Buffer.from(valid);
    switch (below(random, 16)) {
      case 0:
        // The length lies.
        one.writeUIntBE(pick(random, [0, 1, 16_385, 2 ** 24 - 1, below(random, 70_000)]), 0, 3);
        return [one];
      case 1:
        one.writeUInt8(below(random, 256), 3);
        return [one];
      case 2:
        one.writeUInt8(below(random, 256), 4);
        return [one];
      case 3:
        one.writeUInt32BE(below(random, 2 ** 32), 5);
        return [one];
      case 4: {
        const at = below(random, one.length);
        one.writeUInt8(one.readUInt8(at) ^ (1 << below(random, 8)), at);
        return [one];
      }
      case 5:
        return [one.subarray(0, below(random, one.length))];
      case 6:
        return [one, one];
      case 7:
        return [];
      default:
        return [one];
    }
  });
  return chance(random, 0.2) ? spoiled.toSorted(() => random() - 0.5) : spoiled;
}

/** The same bytes, cut elsewhere. */
function splitAnew(random: Random, chunks: readonly Buffer[]): Buffer[] {
  const all = Buffer.concat(chunks);
  const cuts = [0, below(random, all.length), below(random, all.length), all.length];
  const ordered = cuts.toSorted((one, other) => one - other);
  return ordered.slice(1).map((end, index) => all.subarray(ordered[index], end));
}

/** A TLS record that is not one: wrong type, wrong length, wrong key, or half. */
function record(random: Random): Buffer {
  const length = pick(random, [0, 1, 17, 200, 16_384, 16_641, 65_535]);
  const head = Buffer.from([
    pick(random, [20, 21, 22, 23, 24, 128]),
    3,
    3,
    length >> 8,
    length & 255,
  ]);
  return Buffer.concat([head, bytes(random, Math.min(length, 300))]);
}

/** A ClientHello that ends early, or none. */
function garbageHandshake(random: Random): Buffer {
  const hello = Buffer.concat([Buffer.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3), bytes(random, 600)]);
  return pick(random, [hello, bytes(random, 600), PREFACE, Buffer.from("GET / HTTP/1.1\r\n\r\n")]);
}

function bytes(random: Random, most: number, least = 0): Buffer {
  const length = least + below(random, most - least + 1);
  return Buffer.from(Array.from({ length }, () => below(random, 256)));
}

function below(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

function chance(random: Random, probability: number): boolean {
  return random() < probability;
}

function pick<T>(random: Random, choices: readonly [T, ...T[]]): T;
function pick<T>(random: Random, choices: readonly T[]): T;
function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[below(random, choices.length)];
  if (choice === undefined) throw new RangeError("nothing to pick from");
  return choice;
}
