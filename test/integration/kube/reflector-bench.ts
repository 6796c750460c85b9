import { onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../../api/clock.ts";
import type { ConfigMap } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import {
  Reflector,
  type ReflectorEvent,
  type ReflectorOptions,
} from "../../../kube/reflector/reflector.ts";
import type { FaultProxy } from "../../faults/fault-proxy.ts";
import type { ProxiedRequest } from "../../faults/proxied-request.ts";
import { adminClient, clientThrough, eventually, faultProxy, testNamespace } from "../fixtures.ts";

/** A namespace of ConfigMaps, changed directly and watched by a reflector through a fault proxy. */
export interface Bench {
  readonly proxy: FaultProxy;
  readonly admin: KubeClient;
  readonly namespace: string;
  /** Every state it entered. */
  readonly states: string[];
  /** Errors of its backoffs. */
  readonly errors: unknown[];
  /** Waits it asked for, in milliseconds; those of backoffs are cut short. */
  readonly waitsMs: number[];
  /** Lists it asked for so far, page by page; without the looks at the server's version. */
  lists(): ProxiedRequest[];
  put(name: string, value: string): Promise<void>;
  remove(name: string): Promise<void>;
  start(options?: Partial<ReflectorOptions<ConfigMap>>): Promise<Reflector<ConfigMap>>;
  /** Also waits until it has asked for a watch. */
  startSynced(options?: Partial<ReflectorOptions<ConfigMap>>): Promise<Reflector<ConfigMap>>;
  /**
   * Everything passed on since the last call. Makes one more change and waits
   * for it: what comes before it has come by then, doubled or not.
   */
  takeEvents(): Promise<string[]>;
}

/** Only what the tests make: the controller manager puts a ConfigMap into every namespace. */
const TEST_LABEL = "isthmus-test";

const MARKER = "zz-marker";
const LONGEST_BACKOFF_MS = 60_000;

/** Sets up a bench in the cluster west; everything ends with the test. */
export async function reflectorBench(
  connect: (proxy: FaultProxy) => KubeClient = clientThrough,
): Promise<Bench> {
  const proxy = await faultProxy("west");
  const admin = adminClient("west");
  const namespace = await testNamespace(admin);
  const client = connect(proxy);
  const events: string[] = [];
  const states: string[] = [];
  const errors: unknown[] = [];
  const waitsMs: number[] = [];
  let marker = 0;
  const clock: Clock = {
    nowMs: () => Date.now(),
    sleep: async (durationMs, signal) => {
      const isBackoff = durationMs < LONGEST_BACKOFF_MS;
      if (isBackoff) waitsMs.push(durationMs);
      await systemClock.sleep(isBackoff ? Math.min(durationMs, 20) : durationMs, signal);
    },
  };

  async function put(name: string, value: string): Promise<void> {
    const metadata = { namespace, name, labels: { [TEST_LABEL]: "" } };
    const object: ConfigMap = { metadata, data: { value } };
    await admin.apply(RESOURCES.configMaps, object, { fieldManager: "test" });
  }

  async function start(options: Partial<ReflectorOptions<ConfigMap>> = {}) {
    const reflector = new Reflector<ConfigMap>({
      client,
      resource: RESOURCES.configMaps,
      namespace,
      labelSelector: TEST_LABEL,
      name: "test",
      clock,
      ...options,
    });
    reflector.onEvent((event) => events.push(describe(event)));
    reflector.onState((state, error) => {
      states.push(state);
      if (state === "backoff") errors.push(error);
    });
    await reflector.start(new AbortController().signal);
    onTestFinished(async () => await reflector.stop());
    return reflector;
  }

  return {
    proxy,
    admin,
    namespace,
    states,
    errors,
    waitsMs,
    lists: () =>
      proxy.requests.filter(({ verb, query }) => verb === "list" && query.get("limit") !== "1"),
    put,
    remove: async (name) => await admin.remove(RESOURCES.configMaps, { namespace, name }),
    start,
    startSynced: async (options) => {
      const reflector = await start(options);
      await reflector.waitForSync(AbortSignal.timeout(10_000));
      await eventually(
        () => {
          if (!proxy.requests.some(({ verb }) => verb === "watch")) throw new Error("none yet");
        },
        { describe: "a watch" },
      );
      return reflector;
    },
    takeEvents: async () => {
      marker += 1;
      const last = `apply ${MARKER}=${marker}`;
      await put(MARKER, String(marker));
      await eventually(
        () => {
          if (!events.includes(last)) throw new Error(JSON.stringify(events));
        },
        { describe: `the event "${last}"` },
      );
      return events.splice(0).filter((event) => !event.startsWith(`apply ${MARKER}=`));
    },
  };
}

function describe(event: ReflectorEvent<ConfigMap>): string {
  const name = event.key.replace(/.*\//, "");
  return event.type === "apply"
    ? `apply ${name}=${event.object.data?.["value"]}`
    : `delete ${name}`;
}
