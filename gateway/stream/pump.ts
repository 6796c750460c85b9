import type { Readable, Writable } from "node:stream";

/** Bytes of one direction of a tunnel that wait in this process before its source is read no further. */
export const DIRECTION_BUFFER_BYTES = 512 * 1024;
/** A chunk of this size is a bulk flow's: those that arrive in one turn of the event loop leave in one write. */
const BULK_CHUNK_BYTES = 8 * 1024;

/**
 * Carries what `from` reads to `to`, never faster than `to` takes it, and tells
 * `onBytes` of each chunk. Ends nothing. In place of `Readable.pipe`, which stops
 * and starts reading at each chunk and writes each by itself (docs/adr/0011).
 */
export function pump(from: Readable, to: Writable, onBytes: (bytes: number) => void): void {
  from.on("data", (chunk: Buffer) => {
    onBytes(chunk.byteLength);
    if (chunk.byteLength >= BULK_CHUNK_BYTES && to.writableCorked === 0) {
      to.cork();
      setImmediate(uncork, to);
    }
    // `drain` follows only upon a write that returned false.
    if (!to.write(chunk) && to.writableLength >= DIRECTION_BUFFER_BYTES) from.pause();
  });
  to.on("drain", () => from.resume());
  from.resume();
}

function uncork(to: Writable): void {
  to.uncork();
}
