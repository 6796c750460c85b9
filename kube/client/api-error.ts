/** The API server's `Status` object, as much of it as we read. */
export interface Status {
  kind?: string;
  status?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    retryAfterSeconds?: number;
    causes?: { reason?: string; message?: string; field?: string }[];
  };
}

const REASON_OF_CODE: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

const MAX_DETAIL_CHARS = 500;

/** The API server answered, and the answer is an error. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status code, or the code inside a watch's ERROR event. */
  readonly statusCode: number;
  /** `Status.reason` (NotFound, AlreadyExists, Conflict, Expired, …), derived from the code when the server gave none. */
  readonly reason: string;
  /** How long the server asked us to wait, in milliseconds. */
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
    const seconds = body?.details?.retryAfterSeconds;
    this.retryAfterMs =
      init.retryAfterMs ??
      (typeof seconds === "number" && seconds > 0 ? seconds * 1000 : undefined);
  }
}

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
const TIMEOUT_CODE = /TIMEOUT|^ETIMEDOUT$/;

/** No usable answer came from the API server: refused, not trusted, timed out or not Kubernetes. */
export class KubeConnectionError extends Error {
  override readonly name = "KubeConnectionError";
  /** ECONNREFUSED, a TLS code, UND_ERR_…, REQUEST_TIMEOUT, INVALID_RESPONSE, RESPONSE_TOO_LARGE, TRUNCATED. */
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
  if (code === "INVALID_RESPONSE" || code === "RESPONSE_TOO_LARGE" || code === "TRUNCATED") {
    return "protocol";
  }
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
