import { type ClientHttp2Session, constants } from "node:http2";
import { withTimeout } from "../../kube/client/timeout-signal.ts";

/** One request over a session to a gateway. */
export interface ExchangeRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer;
}

export interface ExchangeAnswer {
  readonly status: number;
  /** Length of the answer's body. */
  readonly bytes: number;
  /** The other side's clock by its `date` header, in epoch ms; NaN without one. */
  readonly dateMs: number;
}

/** No whole answer came in time. */
export class ExchangeTimeoutError extends Error {
  override readonly name = "ExchangeTimeoutError";
}

/**
 * Sends a request and reads its whole answer.
 * @throws ExchangeTimeoutError after `timeoutMs`; Error when stream or session end before; `signal`'s reason.
 */
export async function exchange(
  session: ClientHttp2Session,
  { method, path, headers = {}, body }: ExchangeRequest,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<ExchangeAnswer> {
  const limit = withTimeout(signal, timeoutMs);
  const { promise, resolve, reject } = Promise.withResolvers<ExchangeAnswer>();
  const abort = () =>
    reject(
      limit.timedOut() ? new ExchangeTimeoutError(`no answer in ${timeoutMs} ms`) : signal.reason,
    );
  limit.signal.addEventListener("abort", abort, { once: true });
  const lost = () => reject(new Error("the session ended"));
  session.once("close", lost);
  try {
    const stream = session.request(
      {
        ...headers,
        [constants.HTTP2_HEADER_METHOD]: method,
        [constants.HTTP2_HEADER_PATH]: path,
      },
      { endStream: body === undefined },
    );
    let bytes = 0;
    let status = 0;
    let dateMs = Number.NaN;
    stream.on("response", (answer) => {
      status = answer[":status"] ?? 0;
      dateMs = Date.parse(answer.date ?? "");
    });
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.once("end", () => resolve({ status, bytes, dateMs }));
    stream.once("error", reject);
    stream.once("close", () => reject(new Error("the stream ended without an answer")));
    if (body !== undefined) stream.end(body);
    return await promise;
  } finally {
    limit.signal.removeEventListener("abort", abort);
    limit.dispose();
    session.off("close", lost);
  }
}
