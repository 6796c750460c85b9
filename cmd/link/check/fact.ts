import { errorMessage } from "../../../api/errors.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { withTimeout } from "../../../kube/client/timeout-signal.ts";

/** Something that was looked up, or why it is not known. */
export type Fact<T> = { readonly value: T } | { readonly unknown: string };

const LOOK_TIMEOUT_MS = 10_000;

/**
 * Looks something up within its own time: what cannot be read becomes a fact that is not known.
 * @throws the signal's reason when it aborts, and nothing else
 */
export async function lookUp<T>(
  signal: AbortSignal,
  read: (signal: AbortSignal) => Promise<T>,
  timeoutMs = LOOK_TIMEOUT_MS,
): Promise<Fact<T>> {
  const limit = withTimeout(signal, timeoutMs);
  try {
    return { value: await read(limit.signal) };
  } catch (error) {
    signal.throwIfAborted();
    if (limit.timedOut()) return { unknown: `no answer within ${timeoutMs / 1000} s` };
    return { unknown: whyUnknown(error) };
  } finally {
    limit.dispose();
  }
}

/** The API server's own words, where they came from there. */
export function whyUnknown(error: unknown): string {
  return isApiError(error) ? (error.body?.message ?? error.message) : errorMessage(error);
}

/** The value, or undefined where it is not known. */
export function known<T>(fact: Fact<T>): T | undefined {
  return "value" in fact ? fact.value : undefined;
}
