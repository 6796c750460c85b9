/** HTTP/2 frames and header blocks by hand, right or wrong as a test wants them. */

/** RFC 9113 section 6. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** RFC 9113 section 6.5.2. */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

export interface Frame {
  type: number;
  flags: number;
  streamId: number;
  payload: Buffer;
}

/** Of every frame, before its payload. */
export const HEAD_BYTES = 9;

/** One frame; `length` lies about the payload's when given. */
export function frame(
  type: number,
  options: { flags?: number; streamId?: number; payload?: Uint8Array; length?: number } = {},
): Buffer {
  const { flags = 0, streamId = 0, payload = new Uint8Array(), length = payload.length } = options;
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** SETTINGS with these pairs of id and value. */
export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return frame(FRAME.settings, { payload });
}

/** HEADERS with these fields, complete unless `flags` says otherwise. */
export function headers(
  streamId: number,
  fields: readonly (readonly [name: string, value: string])[],
  flags: number = FLAG.endHeaders,
): Buffer {
  return frame(FRAME.headers, { flags, streamId, payload: headerBlock(fields) });
}

/** The HEADERS of `CONNECT authority`, without END_STREAM. */
export function connectRequest(streamId: number, authority = "web.shop.svc:80"): Buffer {
  return headers(streamId, [
    [":method", "CONNECT"],
    [":authority", authority],
  ]);
}

/** HPACK (RFC 7541 section 6.2.2): literals without indexing, no Huffman code. */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts = fields.flatMap(([name, value]) => [
    Buffer.of(0),
    ...[name, value].flatMap((text) => [prefixInteger(text.length), Buffer.from(text, "latin1")]),
  ]);
  return Buffer.concat(parts);
}

export function rstStream(streamId: number, code = 8): Buffer {
  return frame(FRAME.rstStream, { streamId, payload: uint32(code) });
}

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(FRAME.windowUpdate, { streamId, payload: uint32(increment) });
}

export function ping(flags = 0): Buffer {
  return frame(FRAME.ping, { flags, payload: Buffer.alloc(8) });
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** RFC 7541 section 5.1, after the seven bits that an H flag of 0 leaves. */
function prefixInteger(value: number): Buffer {
  if (value < 127) return Buffer.of(value);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push(128 + (rest & 127));
  return Buffer.of(...bytes, rest);
}

/** RFC 7541 appendix A: `:status` at 8, and the values that have an index of their own. */
const STATUS_BY_INDEX = [200, 204, 206, 304, 400, 404, 500];
const STATUS_INDEX = 8;

/** The status at the head of a header block that uses no dynamic table; 0 when there is none. */
export function statusOf(block: Buffer): number {
  // A change of the table's size comes before the first field.
  const start = ((block[0] ?? 0) & 0xe0) === 0x20 ? 1 : 0;
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) return STATUS_BY_INDEX[(first & 0x7f) - STATUS_INDEX] ?? 0;
  if ((first & 0x0f) !== STATUS_INDEX) return 0;
  const length = block[start + 1] ?? 0;
  const value = block.subarray(start + 2, start + 2 + (length & 0x7f));
  return Number((length & 0x80) === 0 ? value.toString("latin1") : huffmanDigits(value));
}

/** RFC 7541 appendix B, for digits: 0, 1, 2 have five bits, the others six. */
function huffmanDigits(bytes: Buffer): string {
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  let digits = "";
  while (bits.length >= 5) {
    const short = Number.parseInt(bits.slice(0, 5), 2);
    const long = Number.parseInt(bits.slice(0, 6), 2) - 0b011001;
    if (short > 2 && (long < 0 || long > 6 || bits.length < 6)) break;
    digits += short > 2 ? String(long + 3) : String(short);
    bits = bits.slice(short > 2 ? 6 : 5);
  }
  return digits;
}
