import type { Dispatcher } from "undici";
import { ApiError, KubeConnectionError, type Status } from "./api-error.ts";

/** A server that asks for more than this is not obeyed. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;

/**
 * Reads a response's body.
 *
 * @throws KubeConnectionError RESPONSE_TOO_LARGE when it holds more than `maxBytes`
 */
export async function readText(
  body: Dispatcher.ResponseData["body"],
  maxBytes: number,
  server: string,
  signal: AbortSignal,
): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    signal.throwIfAborted();
    if (!Buffer.isBuffer(piece)) continue;
    bytes += piece.length;
    if (bytes > maxBytes) {
      throw new KubeConnectionError({
        code: "RESPONSE_TOO_LARGE",
        server,
        detail: `more than ${maxBytes} bytes`,
      });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, bytes).toString("utf8");
}

/** Reads the beginning of a body, for a message: `maxBytes` of it at most. */
export async function readStart(
  body: Dispatcher.ResponseData["body"],
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of body) {
    signal.throwIfAborted();
    if (!Buffer.isBuffer(piece)) continue;
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(pieces).subarray(0, maxBytes).toString("utf8");
}

/**
 * Parses what should be a JSON object.
 *
 * @throws KubeConnectionError INVALID_RESPONSE for anything else, such as a login page with status 200
 */
export function parseJson(
  text: string,
  contentType: string | string[] | undefined,
  operation: string,
  server: string,
): object {
  const parsed = tryParse(text);
  if (typeof parsed === "object" && parsed !== null) return parsed;
  throw new KubeConnectionError({
    code: "INVALID_RESPONSE",
    server,
    detail: `${operation} answered ${String(contentType ?? "no content type")}, not a Kubernetes object`,
  });
}

/** The error an answer outside 2xx stands for. */
export function apiErrorOf(
  response: Pick<Dispatcher.ResponseData, "statusCode" | "headers">,
  text: string,
  operation: string,
  nowMs: number,
): ApiError {
  const parsed = tryParse(text);
  const header = response.headers["retry-after"];
  return new ApiError({
    statusCode: response.statusCode,
    operation,
    body: isStatus(parsed) ? parsed : undefined,
    text,
    retryAfterMs: retryAfterMs(typeof header === "string" ? header : undefined, nowMs),
  });
}

/** Whether a value is a `Status` object, as error answers and ERROR events carry it. */
export function isStatus(value: unknown): value is Status {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "Status";
}

/** RFC 9110, 10.2.3: seconds, or a date. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const delayMs = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  if (!Number.isFinite(delayMs)) return undefined;
  return Math.min(Math.max(delayMs, 0), MAX_RETRY_AFTER_MS);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
