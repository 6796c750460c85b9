import { once } from "node:events";
import { connect } from "node:net";
import type { Registry } from "prom-client";
import { afterAll, beforeAll, inject } from "vitest";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { type ClusterAccess, openCluster } from "../../../cmd/link/cluster-access.ts";
import { COMPLETE_WORD } from "../../../cmd/link/completion/complete.ts";
import { renderManifests } from "../../../cmd/link/install/manifests.ts";
import { createHealthServer } from "../../../kube/health-server.ts";
import { createLogger } from "../../../kube/logger.ts";
import { poll } from "../../bed/poll.ts";
import { type CommandOutcome, runCommand } from "./run-command.ts";

/** What the views need of an installation where no pod runs. */
const INSTALLED: readonly Resource[] = [
  RESOURCES.namespaces,
  RESOURCES.customResourceDefinitions,
  RESOURCES.configMaps,
];

/** A cluster in which a test file plays the controller and the gateways, with metrics as theirs. */
export class ViewsStage {
  readonly #stopping = new AbortController();
  #made: { resource: Resource; object: KubeObject }[] = [];
  #access: ClusterAccess | undefined;

  get kubeconfig(): string {
    const worker = Number(process.env["VITEST_POOL_ID"]);
    return inject("kubeconfigs")[worker - 1]?.east ?? "";
  }

  /** An administrator's. */
  get access(): ClusterAccess {
    this.#access ??= openCluster({ kubeconfig: this.kubeconfig });
    return this.#access;
  }

  async up(): Promise<void> {
    const { client } = this.access;
    for (const { resource, object } of await renderManifests({ clusterName: "east" })) {
      if (!INSTALLED.includes(resource)) continue;
      await client.apply(resource, object, { fieldManager: "test", force: true });
      if (resource === RESOURCES.configMaps) this.#made.push({ resource, object });
    }
  }

  /** Takes back what was made, but namespaces and definitions, which other files use, too. */
  async down(): Promise<void> {
    this.#stopping.abort();
    for (const { resource, object } of this.#made.toReversed()) {
      await this.access.client.remove(resource, object.metadata);
    }
    await this.#access?.client.close();
  }

  /** Has an object taken away at the end that a test made itself. */
  removeAtEnd(resource: Resource, metadata: KubeObject["metadata"]): void {
    this.#made.push({ resource, object: { metadata } });
  }

  /** Writes an object as the controller does. */
  async put<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    this.#made.push({ resource, object });
    // The API server knows a new kind a moment after its definition.
    return await poll(
      `${resource.kind} ${object.metadata.name}`,
      () =>
        this.access.client.apply<T>(resource, object, {
          fieldManager: CONTROLLER_FIELD_MANAGER,
          force: true,
        }),
      { timeoutMs: 15_000 },
    );
  }

  async putStatus(resource: Resource, metadata: KubeObject["metadata"], status: object) {
    const object: KubeObject & { status: object } = { metadata, status };
    const options = { fieldManager: "test", subresource: "status", force: true } as const;
    await this.access.client.apply(resource, object, options);
  }

  /** A mirror of `cluster/namespace/name` by the Link of that cluster's name. */
  async putMirror(source: string, state: string, reason: string, message = ""): Promise<void> {
    const [cluster = "", namespace = "", name = ""] = source.split("/");
    const mirror: Service = {
      metadata: {
        namespace,
        name: `${name}-${cluster}`,
        labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: cluster },
        annotations: {
          [ANNOTATIONS.source]: source,
          [ANNOTATIONS.state]: state,
          [ANNOTATIONS.stateReason]: reason,
          [ANNOTATIONS.stateMessage]: message,
        },
      },
      spec: { ports: [{ name: "http", port: 80, protocol: "TCP", targetPort: 10_000 }] },
    };
    await this.put(RESOURCES.services, mirror);
  }

  /** A pod of ours; with a registry one that runs, and shows it to the API server at this port. */
  async putPod(name: string, app: string, metrics?: { registry: Registry; port: number }) {
    const metadata = { namespace: INSTALL_NAMESPACE, name, labels: { [LABELS.name]: app } };
    const pod: KubeObject & { spec: object } = {
      metadata,
      spec: {
        // Never run: no scheduler takes a gated Pod.
        schedulingGates: [{ name: "isthmus.dev/test" }],
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "main",
            image: "localhost/none",
            securityContext: {
              allowPrivilegeEscalation: false,
              capabilities: { drop: ["ALL"] },
            },
          },
        ],
      },
    };
    await this.put(RESOURCES.pods, pod);
    if (metrics === undefined) return;
    const ip = await this.#ownAddress();
    await createHealthServer({
      ...metrics,
      host: ip,
      ready: () => true,
      logger: createLogger({ name: "views", level: "silent" }),
    }).start(this.#stopping.signal);
    const conditions = [{ type: "Ready", status: "True" }];
    const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions };
    const key = { namespace: INSTALL_NAMESPACE, name };
    const options = { type: "merge", subresource: "status" } as const;
    await this.access.client.patch(RESOURCES.pods, key, { status }, options);
  }

  /** Runs a command line on this cluster; what completion asks for ends with the word to complete. */
  link(...args: string[]): Promise<CommandOutcome> {
    const cluster = ["--kubeconfig", this.kubeconfig];
    const isCompletion = args[0] === COMPLETE_WORD;
    return runCommand(isCompletion ? args.toSpliced(-1, 0, ...cluster) : [...args, ...cluster]);
  }

  /** The address by which the API server, in a network namespace of its own, reaches this process. */
  async #ownAddress(): Promise<string> {
    const { hostname, port } = new URL(this.access.server);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, "connect");
    const { localAddress = "" } = socket;
    socket.destroy();
    return localAddress;
  }
}

/** A stage for the tests of a file. */
export function useViewsStage(): ViewsStage {
  const stage = new ViewsStage();
  beforeAll(async () => await stage.up());
  afterAll(async () => await stage.down());
  return stage;
}
