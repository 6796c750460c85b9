import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import {
  CONTROLLER_NAME,
  EGRESS_PORT_MAX,
  EGRESS_PORT_MIN,
  GATEWAY_HEALTH_PORT,
  GATEWAY_NAME,
  INGRESS_PORT,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../api/names.ts";
import type { Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { Reflector } from "../../kube/reflector/reflector.ts";
import { type PodProcess, processesOfPods } from "../../test/system/kill-pods.ts";
import type { Member } from "../../test/system/system.ts";
import { listeningPorts } from "./listening-ports.ts";
import type { Holdings, MemorySample, Termination } from "./state-oracle.ts";

/** The two kinds of processes that the product consists of. */
export const COMPONENTS = ["controller", "gateway"] as const;
export type Component = (typeof COMPONENTS)[number];

interface ContainerEnd {
  readonly exitCode: number;
  readonly reason?: string;
  readonly finishedAt?: string;
  readonly containerID?: string;
}

interface PodWithContainers extends Pod {
  readonly status?: Pod["status"] & {
    readonly containerStatuses?: readonly {
      readonly state?: { readonly terminated?: ContainerEnd };
      readonly lastState?: { readonly terminated?: ContainerEnd };
    }[];
  };
}

/** Label of a component's pods. */
export function nameOf(component: Component): string {
  return component === "controller" ? CONTROLLER_NAME : GATEWAY_NAME;
}

/**
 * Follows the product's pods in all clusters by watches of its own, so that it knows them also while an API server is
 * stopped, and looks at their processes.
 */
export class PodBook {
  readonly #reflectors = new Map<string, Reflector<PodWithContainers>>();
  readonly #terminations = new Map<string, Termination>();
  readonly #stopping = new AbortController();

  /** Begins to follow; resolves once all pods that exist were seen. */
  static async start(members: readonly Member[]): Promise<PodBook> {
    const book = new PodBook();
    const { signal } = book.#stopping;
    for (const { name, client } of members) {
      const reflector = new Reflector<PodWithContainers>({
        client,
        resource: RESOURCES.pods,
        namespace: INSTALL_NAMESPACE,
        name: `pods of ${name}`,
      });
      reflector.onEvent((event) => {
        if (event.type === "apply") book.#noteEnds(name, event.object);
      });
      book.#reflectors.set(name, reflector);
      await reflector.start(signal);
      await reflector.waitForSync(signal);
    }
    return book;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#reflectors.values()].map((reflector) => reflector.stop()));
  }

  /** Ends of containers, each once. */
  get terminations(): Termination[] {
    return [...this.#terminations.values()];
  }

  /** The running processes of a component, also of pods that are ending. */
  processes(cluster: string, component: Component): PodProcess[] {
    return processesOfPods(this.#pods(cluster, component));
  }

  /** Those of pods that stay: their containers are started anew when they end. */
  lasting(cluster: string, component: Component): PodProcess[] {
    return processesOfPods(
      this.#pods(cluster, component).filter(
        ({ metadata }) => metadata.deletionTimestamp === undefined,
      ),
    );
  }

  /** What every component holds now, by `cluster/component`. */
  holdings(): Map<string, Holdings> {
    return this.#byComponent((processes) => {
      const descriptors = processes.map(({ pid }) => descriptorsOf(pid));
      return {
        processes: processes.length,
        sockets: descriptors.flat().filter((target) => target.startsWith("socket:")).length,
        fileDescriptors: descriptors.flat().length,
      };
    });
  }

  /** Memory of every process now. */
  memory(atMs: number): MemorySample[] {
    return [...this.#byComponent((processes) => processes)].flatMap(([component, processes]) =>
      processes.flatMap(({ pid }) => {
        const rssKib = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1];
        return rssKib === undefined
          ? []
          : [{ atMs, component, pid, rssMib: Number(rssKib) / 1024 }];
      }),
    );
  }

  /** Ports of mirrors that each gateway of a cluster listens on, by pod. */
  egressListeners(cluster: string): Map<string, number[]> {
    return new Map(
      this.processes(cluster, "gateway").map(({ pod, pid }) => {
        const tables = ["tcp", "tcp6"].map((table) => readOrEmpty(`/proc/${pid}/net/${table}`));
        const ports = tables.flatMap(listeningPorts);
        return [pod, ports.filter(isMirrorsPort)];
      }),
    );
  }

  #pods(cluster: string, component: Component): PodWithContainers[] {
    return (this.#reflectors.get(cluster)?.store.list() ?? []).filter(
      ({ metadata }) => metadata.labels?.[LABELS.name] === nameOf(component),
    );
  }

  #byComponent<T>(of: (processes: PodProcess[]) => T): Map<string, T> {
    const clusters = [...this.#reflectors.keys()];
    return new Map(
      clusters.flatMap((cluster) =>
        COMPONENTS.map((component): [string, T] => [
          `${cluster}/${component}`,
          of(this.processes(cluster, component)),
        ]),
      ),
    );
  }

  #noteEnds(cluster: string, { metadata, status }: PodWithContainers): void {
    const component = COMPONENTS.find((each) => metadata.labels?.[LABELS.name] === nameOf(each));
    if (component === undefined) return;
    const ends = (status?.containerStatuses ?? []).flatMap(({ state, lastState }) => [
      state?.terminated,
      lastState?.terminated,
    ]);
    for (const end of ends) {
      if (end === undefined) continue;
      const { exitCode, reason = "", finishedAt = "", containerID = "" } = end;
      const atMs = Date.parse(finishedAt);
      this.#terminations.set(containerID || `${metadata.name} ${finishedAt}`, {
        cluster,
        pod: metadata.name,
        component,
        exitCode,
        reason,
        atMs,
      });
    }
  }
}

/** The gateway's own two ports lie in the range of the mirrors'. */
function isMirrorsPort(port: number): boolean {
  const isOwn = port === INGRESS_PORT || port === GATEWAY_HEALTH_PORT;
  return port >= EGRESS_PORT_MIN && port <= EGRESS_PORT_MAX && !isOwn;
}

function descriptorsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      return [readlinkSync(`${folder}/${name}`)];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
