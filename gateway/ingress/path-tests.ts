import { type IncomingHttpHeaders, type ServerHttp2Stream, constants } from "node:http2";
import type { Clock } from "../../api/clock.ts";
import {
  GATEWAY_PATH_TEST_PATH,
  PATH_TEST_ANSWER_HEADER,
  PATH_TEST_MAX_BYTES,
} from "../../api/names.ts";
import type { Refusal } from "./authorize.ts";

/** Of all peers together: each may hold its answer in memory. */
export const MAX_PATH_TESTS = 8;
export const PATH_TEST_DEADLINE_MS = 10_000;
/** More than may be sent or asked for. */
const INVALID: Refusal = { status: 400, reason: "PathTestRefused" };
const BUSY: Refusal = { status: 503, reason: "PathTestRefused" };

/** Whether a stream asks for a path test. */
export function isPathTest(headers: IncomingHttpHeaders): boolean {
  return headers[":method"] === "POST" && headers[":path"] === GATEWAY_PATH_TEST_PATH;
}

/**
 * Answers peers that try which sizes the path between the gateways lets through (`link check`): reads and drops what
 * they send, and sends as many bytes as they ask for. Few at once, each bounded in size and time.
 */
export class PathTests {
  readonly #clock: Clock;
  #running = 0;

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** Serves one; resolves with why it was refused and not answered, if it was. Never rejects. */
  async serve(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
  ): Promise<Refusal | undefined> {
    const answerBytes = Number(headers[PATH_TEST_ANSWER_HEADER] ?? 0);
    if (!Number.isInteger(answerBytes) || answerBytes < 0 || answerBytes > PATH_TEST_MAX_BYTES) {
      return INVALID;
    }
    if (this.#running >= MAX_PATH_TESTS) return BUSY;
    if (stream.destroyed) return undefined;
    this.#running += 1;
    const ended = new AbortController();
    stream.once("close", () => {
      ended.abort();
      this.#running -= 1;
    });
    const late = this.#clock.sleep(PATH_TEST_DEADLINE_MS, ended.signal);
    void late.then(
      () => stream.close(constants.NGHTTP2_CANCEL),
      () => {},
    );
    if (!(await isTaken(stream))) return INVALID;
    if (stream.destroyed) return undefined;
    stream.respond({ ":status": 200 });
    stream.end(Buffer.alloc(answerBytes));
    return undefined;
  }
}

/** Reads what is sent, until its end or the stream's; false when it is more than may be. */
async function isTaken(stream: ServerHttp2Stream): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > PATH_TEST_MAX_BYTES) resolve(false);
  });
  stream.once("end", () => resolve(true));
  stream.once("close", () => resolve(true));
  return await promise;
}
