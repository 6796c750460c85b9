import { REASON_OF_CODE, type Status } from "./status.ts";

export type { Status } from "./status.ts";

/** A server that asks for more than this is not obeyed: a link heals soon after its provider does. */
const MAX_RETRY_AFTER_MS = 30_000;
const MAX_DETAIL_CHARS = 500;

/** The API server answered, and the answer is an error. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status code, or the code inside a watch's ERROR event. */
  readonly statusCode: number;
  /** `Status.reason` (NotFound, AlreadyExists, Conflict, Expired, …), derived from the code when the server gave none. */
  readonly reason: string;
  /** How long the server asked us to wait, in milliseconds; 30 s at most. */
  readonly retryAfterMs: number | undefined;
  readonly body: Status | undefined;

  constructor(init: {
    statusCode: number;
    /** What was asked, such as `GET https://host/path`. */
    operation: string;
    body?: Status | undefined;
    /** Used when the body is not a Status. */
    text?: string;
    retryAfterMs?: number | undefined;
  }) {
    const { statusCode, body } = init;
    const reason = body?.reason ?? REASON_OF_CODE[statusCode] ?? "Unknown";
    const detail = (body?.message ?? init.text ?? "").replaceAll(/\s+/g, " ").trim();
    super(
      `${init.operation}: ${statusCode} ${reason}` +
        (detail === "" ? "" : `: ${detail.slice(0, MAX_DETAIL_CHARS)}`),
    );
    this.statusCode = statusCode;
    this.reason = reason;
    this.body = body;
    const seconds = body?.details?.retryAfterSeconds ?? 0;
    const askedMs = init.retryAfterMs ?? (seconds > 0 ? seconds * 1000 : undefined);
    this.retryAfterMs = askedMs === undefined ? undefined : Math.min(askedMs, MAX_RETRY_AFTER_MS);
  }
}

/** Thrown by `beforeSend`: the server has not seen the request. */
export class NotSentError extends Error {}

/**
 * Whether `error` is an {@link ApiError} with one of the reasons or status
 * codes; with none given, whether it is an ApiError at all.
 */
export function isApiError(
  error: unknown,
  ...reasonsOrCodes: (string | number)[]
): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  return (
    reasonsOrCodes.length === 0 ||
    reasonsOrCodes.includes(error.reason) ||
    reasonsOrCodes.includes(error.statusCode)
  );
}

/** What kept us from getting an answer that can be understood. */
export type ConnectionFailure = "network" | "tls" | "timeout" | "protocol";

/** Codes by which Node says that it does not trust the server's certificate, or the server not ours. */
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|EPROTO)/;
/** Ours, and those by which undici says that what came is not HTTP as it should be. */
const PROTOCOL_CODE =
  /^(INVALID_RESPONSE|RESPONSE_TOO_LARGE|LIST_TOO_LARGE|TRUNCATED|HPE_.*|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/;
const TIMEOUT_CODE = /TIMEOUT|^ETIMEDOUT$/;

/** No usable answer came from the API server: refused, not trusted, timed out or not Kubernetes. */
export class KubeConnectionError extends Error {
  override readonly name = "KubeConnectionError";
  /** ECONNREFUSED, a TLS code, UND_ERR_…, REQUEST_TIMEOUT, INVALID_RESPONSE, RESPONSE_TOO_LARGE, LIST_TOO_LARGE, TRUNCATED. */
  readonly code: string;
  readonly server: string;
  readonly failure: ConnectionFailure;

  constructor(init: { code: string; server: string; detail: string; cause?: unknown }) {
    const failure = failureOf(init.code);
    const what = failure === "tls" ? "no trusted TLS connection to" : "no answer from";
    const opening = failure === "protocol" ? "unusable answer from" : what;
    super(`${opening} ${init.server}: ${init.detail} (${init.code})`, { cause: init.cause });
    this.code = init.code;
    this.server = init.server;
    this.failure = failure;
  }
}

function failureOf(code: string): ConnectionFailure {
  if (PROTOCOL_CODE.test(code)) return "protocol";
  if (TLS_CODE.test(code)) return "tls";
  return TIMEOUT_CODE.test(code) ? "timeout" : "network";
}

/** Turns whatever the HTTP client threw into a {@link KubeConnectionError}. */
export function toConnectionError(error: unknown, server: string): KubeConnectionError {
  if (error instanceof KubeConnectionError) return error;
  const root = rootCause(error);
  const code =
    root instanceof Error && "code" in root && typeof root.code === "string"
      ? root.code
      : "UNKNOWN";
  const detail = root instanceof Error ? root.message : String(root);
  return new KubeConnectionError({ code, server, detail, cause: error });
}

/** Happy-eyeballs failures hide the telling error in an AggregateError. */
function rootCause(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors[0];
  if (error instanceof Error && !("code" in error) && error.cause !== undefined) {
    return rootCause(error.cause);
  }
  return error;
}

/** What a failure is counted as in metrics: a reason of Kubernetes or a code. */
export function reasonOf(error: unknown): string {
  if (error instanceof ApiError) return error.reason;
  return error instanceof KubeConnectionError ? error.code : "Unknown";
}
