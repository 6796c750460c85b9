import * as fc from "fast-check";
import { expect, test } from "vitest";
import { KubeConnectionError } from "./api-error.ts";
import { isKubeObject } from "./object-shape.ts";
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

function addedText(metadata: object): string {
  return `${JSON.stringify({ type: "ADDED", object: { metadata } })}\n`;
}

function added(name: string): WatchEvent {
  return { type: "ADDED", object: { metadata: { name, resourceVersion: "1" } } };
}

test("events are the same however the bytes were cut on their way", async () => {
  const sent = [
    added("a"),
    added("größer"),
    { type: "BOOKMARK", object: { metadata: { name: "", resourceVersion: "2" } } },
  ];
  const events = [...sent.slice(0, 2), { type: "BOOKMARK", resourceVersion: "2" }];
  const bytes = Buffer.from(sent.map((event) => `${JSON.stringify(event)}\n`).join(""));
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
  ["an object with the version of none", addedText({ name: "a", resourceVersion: "" })],
  ["an object with the version of any", addedText({ name: "a", resourceVersion: "0" })],
  ["an object without a real name", addedText({ name: "", resourceVersion: "1" })],
  ["a name without end", addedText({ name: "a".repeat(254), resourceVersion: "1" })],
  ["labels of another type", addedText({ name: "a", resourceVersion: "1", labels: { a: 1 } })],
  ["annotations that are none", addedText({ name: "a", resourceVersion: "1", annotations: [] })],
  ["a bookmark without a version", '{"type":"BOOKMARK","object":{"metadata":{}}}\n'],
  ["a bookmark without metadata", '{"type":"BOOKMARK","object":null}\n'],
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

/** Bytes that are more or less like those of a watch. */
const garbage = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(`${text}\n`)),
    fc
      .record({
        type: fc.constantFrom("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"),
        object: fc.oneof(
          fc.jsonValue(),
          fc.record({
            kind: fc.constant("Status"),
            details: fc.record({ causes: fc.jsonValue() }),
            code: fc.jsonValue(),
          }),
          fc.record({
            metadata: fc.record({ name: fc.jsonValue(), resourceVersion: fc.string() }),
          }),
        ),
      })
      .map((event) => Buffer.from(`${JSON.stringify(event)}\n`)),
  ),
);

/** Whether those who read events may rely on what is in this one. */
function isSound(event: WatchEvent): boolean {
  if (event.type === "BOOKMARK") return event.resourceVersion !== "";
  if (event.type !== "ERROR") return isKubeObject(event.object);
  const { message = "", code = 500, details } = event.object;
  return (
    typeof message === "string" && Number.isInteger(code) && Array.isArray(details?.causes ?? [])
  );
}

test("whatever a server sends is an event of the right form or an error of ours", async () => {
  await fc.assert(
    fc.asyncProperty(garbage, fc.integer({ min: 1, max: 7 }), async (pieces, size) => {
      const bytes = Buffer.concat(pieces);
      const cut = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );
      const outcome: unknown = await read(cut).then(
        (events) => events.every(isSound),
        (error: unknown) => error,
      );
      expect(outcome === true || outcome instanceof KubeConnectionError).toBe(true);
    }),
    { numRuns: 500 },
  );
});
