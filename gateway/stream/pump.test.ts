import { Readable, Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { DIRECTION_BUFFER_BYTES, pump } from "./pump.ts";

/** Takes nothing until `take` is called; then one write, of as many chunks as wait in it. */
function slowTaker() {
  const taken: Buffer[][] = [];
  let done: (() => void) | undefined;
  const note = (chunks: Buffer[], callback: () => void) => {
    taken.push(chunks);
    done = callback;
  };
  const to = new Writable({
    highWaterMark: 16 * 1024,
    write: (chunk: Buffer, _encoding, callback) => note([chunk], callback),
    writev: (chunks, callback) =>
      note(
        chunks.map(({ chunk }) => chunk),
        callback,
      ),
  });
  const take = () => {
    const callback = done;
    done = undefined;
    callback?.();
    return callback !== undefined;
  };
  return { to, taken, take };
}

/** A source that always has another chunk. */
function endless(chunkBytes: number) {
  let readBytes = 0;
  const from = new Readable({
    read() {
      readBytes += chunkBytes;
      this.push(Buffer.alloc(chunkBytes));
    },
  });
  return { from, readBytes: () => readBytes };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

test("a source is read no further than what may wait for the taker, and goes on when it takes", async () => {
  const chunkBytes = 64 * 1024;
  const { from, readBytes } = endless(chunkBytes);
  const { to, take } = slowTaker();
  pump(from, to, () => undefined);
  await turns(100);
  const waiting = readBytes();
  // One chunk more is read ahead by the source itself.
  expect(waiting).toBeLessThanOrEqual(DIRECTION_BUFFER_BYTES + 2 * chunkBytes);
  expect(to.writableLength).toBeGreaterThanOrEqual(DIRECTION_BUFFER_BYTES);
  for (let write = 0; write < 3; write += 1) {
    take();
    await turns(2);
  }
  expect(readBytes()).toBeGreaterThan(waiting);
  from.destroy();
});

test("bulk chunks of one turn of the event loop leave in one write", async () => {
  const from = new Readable({ read: () => undefined });
  const { to, taken } = slowTaker();
  pump(from, to, () => undefined);
  for (let chunk = 0; chunk < 4; chunk += 1) from.push(Buffer.alloc(16 * 1024));
  await turns(3);
  expect(taken.map((chunks) => chunks.length)).toEqual([4]);
});

test("a small chunk leaves at once", () => {
  const from = new Readable({ read: () => undefined });
  const { to, taken } = slowTaker();
  pump(from, to, () => undefined);
  from.emit("data", Buffer.from("x"));
  expect(taken).toHaveLength(1);
});

test("whatever the sizes of chunks, every byte passes once and in order, and is told of", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(sizes, async (chunkBytes) => {
      const chunks = chunkBytes.map((size, index) => Buffer.alloc(size, index));
      const from = Readable.from(chunks, { objectMode: false });
      const { to, taken, take } = slowTaker();
      let told = 0;
      pump(from, to, (bytes) => (told += bytes));
      for (let idle = 0; idle < 5; idle += 1) {
        await turns(2);
        if (take()) idle = 0;
      }
      const sent = Buffer.concat(chunks);
      expect(Buffer.concat(taken.flat()).equals(sent)).toBe(true);
      expect(told).toBe(sent.byteLength);
    }),
    { numRuns: 30 },
  );
});
