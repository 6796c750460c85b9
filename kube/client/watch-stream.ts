import type { KubeObject } from "../../api/objects.ts";
import { KubeConnectionError, type Status } from "./api-error.ts";
import { isStatus } from "./response.ts";

/** One line of a watch as the API server sent it. */
export type WatchEvent =
  | { type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; object: KubeObject }
  | { type: "ERROR"; object: Status };

const LINE_FEED = 0x0a;

/**
 * Parses the body of a watch: one JSON event per line.
 *
 * @param maxLineBytes bound of one line
 * @throws KubeConnectionError INVALID_RESPONSE for a line that is no event,
 * RESPONSE_TOO_LARGE for one that is too long, TRUNCATED when the body ends inside a line
 */
export async function* readWatchEvents(
  body: AsyncIterable<Buffer>,
  maxLineBytes: number,
  server: string,
): AsyncGenerator<WatchEvent> {
  let pieces: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      pieces.push(chunk.subarray(start, end));
      assertLength(pendingBytes + end - start, maxLineBytes, server);
      const line = Buffer.concat(pieces).toString("utf8").trim();
      pieces = [];
      pendingBytes = 0;
      start = end + 1;
      if (line !== "") yield parseEvent(line, server);
    }
    if (start < chunk.length) {
      pieces.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      assertLength(pendingBytes, maxLineBytes, server);
    }
  }
  if (pendingBytes > 0) {
    throw new KubeConnectionError({
      code: "TRUNCATED",
      server,
      detail: "a watch ended inside an event",
    });
  }
}

function assertLength(bytes: number, maxLineBytes: number, server: string): void {
  if (bytes <= maxLineBytes) return;
  throw new KubeConnectionError({
    code: "RESPONSE_TOO_LARGE",
    server,
    detail: `one event of a watch has more than ${maxLineBytes} bytes`,
  });
}

function parseEvent(line: string, server: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    event = undefined;
  }
  if (isWatchEvent(event)) return event;
  throw new KubeConnectionError({
    code: "INVALID_RESPONSE",
    server,
    detail: "a watch sent a line that is no event",
  });
}

function isWatchEvent(value: unknown): value is WatchEvent {
  if (typeof value !== "object" || value === null) return false;
  if (!("type" in value && "object" in value)) return false;
  switch (value.type) {
    case "ERROR":
      return isStatus(value.object);
    case "BOOKMARK":
      return hasMetadata(value.object);
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return isKubeObject(value.object);
    default:
      return false;
  }
}

function hasMetadata(value: unknown): value is { metadata: object } {
  return (
    typeof value === "object" &&
    value !== null &&
    "metadata" in value &&
    typeof value.metadata === "object" &&
    value.metadata !== null
  );
}

/** Whether a value has the names and version that caches are built on. */
export function isKubeObject(value: unknown): value is KubeObject {
  if (!hasMetadata(value)) return false;
  const { metadata } = value;
  return (
    "name" in metadata &&
    typeof metadata.name === "string" &&
    "resourceVersion" in metadata &&
    typeof metadata.resourceVersion === "string"
  );
}
