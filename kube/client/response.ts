import type { Dispatcher } from "undici";
import { ApiError, KubeConnectionError } from "./api-error.ts";
import { readStatus } from "./status.ts";

/** Body of a 404 of Go's net/http. */
const NOT_SERVED = "404 page not found";

type Body = Dispatcher.ResponseData["body"];

/**
 * Reads a response's body.
 *
 * @throws KubeConnectionError RESPONSE_TOO_LARGE when it holds more than `maxBytes`
 */
export async function readText(
  body: Body,
  maxBytes: number,
  server: string,
  signal: AbortSignal,
): Promise<string> {
  const { bytes, isWhole } = await readUpTo(body, maxBytes, signal);
  if (isWhole) return bytes.toString("utf8");
  throw new KubeConnectionError({
    code: "RESPONSE_TOO_LARGE",
    server,
    detail: `more than ${maxBytes} bytes`,
  });
}

/** Reads the beginning of a body, for a message: `maxBytes` of it at most. */
export async function readStart(
  body: Body,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const { bytes } = await readUpTo(body, maxBytes, signal);
  return bytes.subarray(0, maxBytes).toString("utf8");
}

/** A body that is longer is left, which ends its connection. */
async function readUpTo(
  body: Body,
  maxBytes: number,
  signal: AbortSignal,
): Promise<{ bytes: Buffer; isWhole: boolean }> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body) {
    signal.throwIfAborted();
    if (!Buffer.isBuffer(piece)) continue;
    pieces.push(piece);
    length += piece.length;
    if (length > maxBytes) return { bytes: Buffer.concat(pieces), isWhole: false };
  }
  return { bytes: Buffer.concat(pieces, length), isWhole: true };
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

/**
 * Why an answer outside 2xx cannot come from an API server, or undefined. A
 * redirect is not followed: the token would go with it. A 404 that is neither
 * a Status nor Go's own for a path nobody serves says nothing of the object.
 */
export function foreignAnswer(statusCode: number, text: string): string | undefined {
  if (statusCode < 400) return `answered ${statusCode}, which is not followed`;
  const isKnown = readStatus(tryParse(text)) !== undefined || text.trim() === NOT_SERVED;
  return statusCode === 404 && !isKnown ? "answered 404, but not as an API server does" : undefined;
}

/** The error an answer outside 2xx stands for. */
export function apiErrorOf(
  response: Pick<Dispatcher.ResponseData, "statusCode" | "headers">,
  text: string,
  operation: string,
  nowMs: number,
): ApiError {
  const header = response.headers["retry-after"];
  return new ApiError({
    statusCode: response.statusCode,
    operation,
    body: readStatus(tryParse(text)),
    text,
    retryAfterMs: retryAfterMs(typeof header === "string" ? header : undefined, nowMs),
  });
}

/** RFC 9110, 10.2.3: seconds, or a date. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const delayMs = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  if (!Number.isFinite(delayMs)) return undefined;
  return Math.max(delayMs, 0);
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
