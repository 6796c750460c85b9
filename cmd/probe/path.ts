import type { ClientHttp2Session } from "node:http2";
import { errorMessage } from "../../api/errors.ts";
import { GATEWAY_PATH_TEST_PATH, PATH_TEST_ANSWER_HEADER } from "../../api/names.ts";
import { exchange, type ExchangeRequest, ExchangeTimeoutError } from "./exchange.ts";
import type { WayReport } from "./report.ts";

/**
 * Payloads that are tried, ascending. Around them are about 80 bytes of HTTP/2, TLS, TCP and IP headers, so those from
 * 1,300 to 1,500 tell apart the MTUs there are (1,420 of WireGuard, 1,450 of VXLAN, 1,500); the last fills many packets.
 */
const PATH_SIZES: readonly number[] = [64, 500, 1000, 1200, 1300, 1400, 1450, 1500, 16_384];

/** A lost packet is sent again after 0.2 s, then 0.4 s, …: what takes longer is not chance. */
const TRY_TIMEOUT_MS = 2000;
/** A size that fails is tried again over a session of its own. */
const TRIES = 2;

export interface PathOptions {
  /** Opens a session; the one before is of no use once a size got stuck in it. */
  open: () => Promise<ClientHttp2Session>;
  signal: AbortSignal;
  sizes?: readonly number[];
  tryTimeoutMs?: number;
}

/**
 * Tries which sizes of payload the path lets through one way, over sessions as those that carry traffic, up to the
 * first that does not arrive. Never throws but for `signal`'s abort.
 */
export async function tryWay(way: "up" | "down", options: PathOptions): Promise<WayReport> {
  const { open, signal, sizes = PATH_SIZES, tryTimeoutMs: timeoutMs = TRY_TIMEOUT_MS } = options;
  const passedBytes: number[] = [];
  let session: ClientHttp2Session | undefined;
  try {
    for (const bytes of sizes) {
      let passed = false;
      for (let tries = 0; !passed && tries < TRIES; tries += 1) {
        session ??= await open();
        try {
          const answer = await exchange(session, requestOf(way, bytes), { timeoutMs, signal });
          if (answer.status !== 200) return { passedBytes, untested: refusal(answer.status) };
          passed = true;
        } catch (error) {
          session.destroy();
          session = undefined;
          if (!(error instanceof ExchangeTimeoutError)) throw error;
        }
      }
      if (!passed) return { passedBytes, stuckAtBytes: bytes };
      passedBytes.push(bytes);
    }
    return { passedBytes };
  } catch (error) {
    signal.throwIfAborted();
    return { passedBytes, untested: errorMessage(error) };
  } finally {
    session?.destroy();
  }
}

function requestOf(way: "up" | "down", bytes: number): ExchangeRequest {
  return {
    method: "POST",
    path: GATEWAY_PATH_TEST_PATH,
    headers: { [PATH_TEST_ANSWER_HEADER]: String(way === "down" ? bytes : 1) },
    body: Buffer.alloc(way === "up" ? bytes : 1),
  };
}

function refusal(status: number): string {
  return status === 405
    ? "the gateway there is of a version without path tests (0.2.0 has them)"
    : `the gateway there answered ${status}`;
}
