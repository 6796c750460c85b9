import type { Clock, Random } from "../../api/clock.ts";
import type { Resource } from "../../api/resources.ts";
import { KubeConnectionError } from "../client/api-error.ts";
import type { KubeClient } from "../client/client.ts";
import type { WatchEvent } from "../client/watch-stream.ts";

/** A watch under way. */
export interface OpenWatch {
  readonly events: AsyncIterator<WatchEvent>;
  readonly openedAtMs: number;
  /** Whether the server has accepted it. */
  answered(): boolean;
  /** Ended by us because it had been silent for too long. */
  idle(): boolean;
  /** To be told of each event that came. */
  heard(): void;
  close(): void;
}

export interface OpenWatchOptions {
  client: KubeClient;
  resource: Resource;
  selection: { namespace?: string; labelSelector?: string; fieldSelector?: string };
  resourceVersion: string;
  /** Without a whole event for so long the watch is ended, in milliseconds. */
  idleDeadlineMs: number;
  clock: Clock;
  random: Random;
  /** The head of the watch or an event arrived. */
  onHeard: () => void;
}

/** The server ends a watch after 290 to 580 s, so that watches spread over its replicas. */
const WATCH_SECONDS = 290;

/** Begins a watch that follows `signal` and ends itself when it is silent. */
export function openWatch(options: OpenWatchOptions, signal: AbortSignal): OpenWatch {
  const { client, resource, selection, resourceVersion, clock, random, onHeard } = options;
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal.reason);
  signal.addEventListener("abort", follow, { once: true });
  const openedAtMs = clock.nowMs();
  const heard = { atMs: openedAtMs, head: false };
  let idle = false;
  // Whole events, not bytes: one that trickles in for ever tells nothing.
  const note = (): void => {
    heard.atMs = clock.nowMs();
    onHeard();
  };
  const stream = client.watch(resource, {
    ...selection,
    resourceVersion,
    timeoutSeconds: Math.round(WATCH_SECONDS * (1 + random())),
    signal: controller.signal,
    onOpen: () => {
      heard.head = true;
      note();
    },
  });
  void guard(heard, options, controller.signal, () => {
    idle = heard.head;
    controller.abort(
      new KubeConnectionError({
        code: "WATCH_TIMEOUT",
        server: client.server,
        detail: `the watch of ${resource.plural} was silent`,
      }),
    );
  });
  return {
    events: stream[Symbol.asyncIterator](),
    openedAtMs,
    answered: () => heard.head,
    idle: () => idle,
    heard: note,
    close: () => {
      signal.removeEventListener("abort", follow);
      controller.abort(new DOMException("the watch was closed", "AbortError"));
    },
  };
}

/** Calls `onIdle` once nothing has been heard for the deadline. */
async function guard(
  heard: { readonly atMs: number },
  { clock, idleDeadlineMs }: OpenWatchOptions,
  signal: AbortSignal,
  onIdle: () => void,
): Promise<void> {
  try {
    for (;;) {
      const leftMs = heard.atMs + idleDeadlineMs - clock.nowMs();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, signal);
    }
  } catch {
    return;
  }
  if (!signal.aborted) onIdle();
}
