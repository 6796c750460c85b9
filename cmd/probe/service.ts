import { createServer, get, type Server } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { errorMessage } from "../../api/errors.ts";
import type { CallReport, CallRequest, ServeRequest } from "./report.ts";

const ATTEMPT_TIMEOUT_MS = 2000;
const PAUSE_MS = 200;

/** Answers every request with the nonce. */
export function serve({ nonce }: ServeRequest, port: number): Server {
  return createServer((_request, response) => response.end(nonce)).listen(port);
}

/** Calls a Service, each time over a new connection, until it gives the right answer or the time is over. Never throws but for `signal`'s abort. */
export async function call(request: CallRequest, signal: AbortSignal): Promise<CallReport> {
  const startedMs = performance.now();
  const tookMs = () => Math.round(performance.now() - startedMs);
  let last = "";
  for (let attempts = 1; ; attempts += 1) {
    try {
      const body = await ask(request, signal);
      if (body === request.nonce) return { answered: true, attempts, tookMs: tookMs(), last: "" };
      last = "another server answered";
    } catch (error) {
      signal.throwIfAborted();
      last = errorMessage(error);
    }
    if (tookMs() >= request.timeoutMs) return { answered: false, attempts, tookMs: tookMs(), last };
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

async function ask({ host, port }: CallRequest, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const outgoing = get({ host, port, path: "/", agent: false, signal }, (response) => {
    text(response).then(resolve, reject);
  });
  outgoing.setTimeout(ATTEMPT_TIMEOUT_MS, () => outgoing.destroy(new Error("no answer in time")));
  outgoing.once("error", reject);
  return await promise;
}
