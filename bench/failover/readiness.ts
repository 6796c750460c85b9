import type { Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { Reflector } from "../../kube/reflector/reflector.ts";
import { poll } from "../../test/bed/poll.ts";

const TIMEOUT_MS = 60_000;

/** What is known of the pods with one label `app`. */
interface AppPods {
  readonly pods: readonly Pod[];
  /** When the last of them was seen not to be ready any more, milliseconds since the epoch. */
  readonly fellMs: number | undefined;
}

/** Follows which pods of a namespace are ready, and writes down when the last of an app fell. */
export class Readiness {
  readonly #reflector: Reflector<Pod>;
  readonly #stopping = new AbortController();
  readonly #apps = new Map<string, AppPods>();

  private constructor(client: KubeClient, namespace: string) {
    const resource = RESOURCES.pods;
    this.#reflector = new Reflector<Pod>({ client, resource, namespace, name: resource.plural });
    this.#reflector.onEvent((event) => {
      const object = event.type === "apply" ? event.object : event.previous;
      this.#look(object.metadata.labels?.["app"] ?? "");
    });
  }

  static async start(client: KubeClient, namespace: string): Promise<Readiness> {
    const readiness = new Readiness(client, namespace);
    await readiness.#reflector.start(readiness.#stopping.signal);
    await readiness.#reflector.waitForSync(readiness.#stopping.signal);
    return readiness;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#reflector.stop();
  }

  /** The address of an app's only ready pod. @throws Error when there is not exactly one. */
  addressOf(app: string): string {
    const ready = (this.#apps.get(app)?.pods ?? []).filter(isReady);
    const address = ready[0]?.status?.podIPs?.[0]?.ip;
    if (ready.length !== 1 || address === undefined)
      throw new Error(`${app} has ${ready.length} ready pods`);
    return address;
  }

  /** Waits until no pod of an app is ready. @returns since when, milliseconds since the epoch. */
  async untilFell(app: string, sinceMs: number, signal: AbortSignal): Promise<number> {
    const fell = () => {
      const { fellMs } = this.#apps.get(app) ?? {};
      return fellMs !== undefined && fellMs >= sinceMs && fellMs;
    };
    return poll(`no pod of ${app} is ready`, fell, { timeoutMs: TIMEOUT_MS, signal });
  }

  async untilGone(app: string, signal: AbortSignal): Promise<void> {
    const isGone = () => this.#apps.get(app)?.pods.length === 0;
    await poll(`the pods of ${app} are gone`, isGone, { timeoutMs: TIMEOUT_MS, signal });
  }

  #look(app: string): void {
    const before = this.#apps.get(app);
    const pods = this.#reflector.store
      .list()
      .filter(({ metadata }) => metadata.labels?.["app"] === app);
    const hasFallen = before?.pods.some(isReady) === true && !pods.some(isReady);
    this.#apps.set(app, { pods, fellMs: hasFallen ? Date.now() : before?.fellMs });
  }
}

function isReady({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true
  );
}
