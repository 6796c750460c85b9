import type { KubeObject } from "../../api/objects.ts";
import { KubeConnectionError } from "./api-error.ts";
import { isKubeObject, isRecord, isVersion } from "./object-shape.ts";
import { readStatus, type Status } from "./status.ts";

/** One line of a watch as the API server sent it. */
export type WatchEvent =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; object: KubeObject }
  | { type: "BOOKMARK"; resourceVersion: string }
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
  const event = readEvent(line);
  if (event !== undefined) return event;
  throw new KubeConnectionError({
    code: "INVALID_RESPONSE",
    server,
    detail: "a watch sent a line that is no event",
  });
}

function readEvent(line: string): WatchEvent | undefined {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(event)) return undefined;
  const { type, object } = event;
  switch (type) {
    case "ERROR": {
      const status = readStatus(object);
      return status && { type, object: status };
    }
    case "BOOKMARK": {
      const metadata = isRecord(object) ? object["metadata"] : undefined;
      const version = isRecord(metadata) ? metadata["resourceVersion"] : undefined;
      return isVersion(version) ? { type, resourceVersion: version } : undefined;
    }
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return isKubeObject(object) ? { type, object } : undefined;
    default:
      return undefined;
  }
}
