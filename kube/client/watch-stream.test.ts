import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readWatchEvents, type WatchEvent } from "./watch-stream.ts";

async function read(pieces: Iterable<Buffer>, maxLineBytes = 10_000): Promise<WatchEvent[]> {
  async function* body(): AsyncGenerator<Buffer> {
    for (const piece of pieces) yield await Promise.resolve(piece);
  }
  const events: WatchEvent[] = [];
  for await (const event of readWatchEvents(body(), maxLineBytes, "https://server"))
    events.push(event);
  return events;
}

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(1000, "x");
}

function added(name: string): WatchEvent {
  return { type: "ADDED", object: { metadata: { name, resourceVersion: "1" } } };
}

test("events are the same however the bytes were cut on their way", async () => {
  const events = [
    added("a"),
    added("größer"),
    { type: "BOOKMARK", object: { metadata: { name: "", resourceVersion: "2" } } },
  ];
  const bytes = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (cuts) => {
      const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
      const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
      expect(await read(pieces)).toEqual(events);
    }),
  );
});

test.each([
  ["text", "hello\n"],
  [
    "an unknown type",
    '{"type":"RENAMED","object":{"metadata":{"name":"a","resourceVersion":"1"}}}\n',
  ],
  ["an object without a name", '{"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}}\n'],
  ["an object without a version", '{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n'],
  ["an error without a Status", '{"type":"ERROR","object":{}}\n'],
  ["null", "null\n"],
])("%s is refused", async (_what, line) => {
  await expect(read([Buffer.from(line)])).rejects.toMatchObject({ code: "INVALID_RESPONSE" });
});

test("a body that ends inside an event is told from one that ends after it", async () => {
  const line = JSON.stringify(added("a"));
  await expect(read([Buffer.from(line)])).rejects.toMatchObject({ code: "TRUNCATED" });
  expect(await read([Buffer.from(`${line}\n`)])).toEqual([added("a")]);
});

test("a line without end is given up at its bound, not when memory is full", async () => {
  await expect(read(endless())).rejects.toMatchObject({ code: "RESPONSE_TOO_LARGE" });
});
