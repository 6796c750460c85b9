import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, closeSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseAllDocuments } from "yaml";
import { onTestFinished } from "vitest";
import { CONTROLLER_NAME, INSTALL_NAMESPACE, LEADER_LEASE_NAME } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { bundle } from "../../../cmd/build/bundle.ts";
import { readManifestFiles } from "../../../cmd/link/install/manifest-files.ts";
import type { Lease } from "../../../kube/elector/lease.ts";
import { poll } from "../../bed/poll.ts";
import { eventually } from "../fixtures.ts";
import { CONSUMER, tokenConfig, type World } from "../link/clusters.ts";

/** Times of the Lease, in ms. */
export interface LeaseTimes {
  durationMs: number;
  renewDeadlineMs: number;
  retryPeriodMs: number;
}

/** Short enough to wait for, long enough for a machine that is busy with other tests. */
export const SHORT_LEASE: LeaseTimes = {
  durationMs: 5000,
  renewDeadlineMs: 4000,
  retryPeriodMs: 200,
};

/** It has no rival, and a busy machine must not take the Lease from it. */
export const LONG_LEASE: LeaseTimes = {
  durationMs: 600_000,
  renewDeadlineMs: 500_000,
  retryPeriodMs: 200,
};

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * The shipped bundle as a process, with a token of the shipped ServiceAccount
 * bound to a Pod of its name. One that ends by itself is started again, as the
 * kubelet does.
 */
export class Replica {
  readonly name: string;
  readonly #spawn: () => ChildProcess;
  #child: ChildProcess;
  #exit: Promise<Exit>;
  #ending = false;

  constructor(name: string, spawnProcess: () => ChildProcess) {
    this.name = name;
    this.#spawn = spawnProcess;
    [this.#child, this.#exit] = this.#run();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** How the process of this moment ends. */
  async exit(): Promise<Exit> {
    return await this.#exit;
  }

  /** Ends it for good. */
  async end(signal: NodeJS.Signals): Promise<Exit> {
    this.#ending = true;
    this.signal(signal);
    return await this.#exit;
  }

  #run(): [ChildProcess, Promise<Exit>] {
    const child = this.#spawn();
    const exit = (async (): Promise<Exit> => {
      const [code, signal] = await once(child, "exit");
      if (!this.#ending) [this.#child, this.#exit] = this.#run();
      return { code, signal };
    })();
    return [child, exit];
  }
}

/** Starts replicas of the consumer's controller; made once per test file. */
export class Replicas {
  readonly #world: () => World;
  #folder = "";
  #bundle = "";

  constructor(world: () => World) {
    this.#world = world;
  }

  async prepare(): Promise<void> {
    this.#folder = await mkdtemp(path.join(tmpdir(), "isthmus-replicas-"));
    ({ controller: this.#bundle } = await bundle(this.#folder));
  }

  async cleanUp(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** @param netns network namespace to run in; this process' own when absent */
  async start(name: string, lease = SHORT_LEASE, netns?: string): Promise<Replica> {
    const { consumer } = this.#world();
    const kubeconfig = path.join(this.#folder, `${name}.kubeconfig`);
    await writeFile(kubeconfig, tokenConfig(consumer, await this.#token(name)).exportConfig());
    const logPath = path.join(consumer.logsFolder, `${name}.log`);
    const args = [
      this.#bundle,
      `--kubeconfig=${kubeconfig}`,
      "--host=127.0.0.1",
      "--health-port=0",
      `--lease-duration=${lease.durationMs}`,
      `--lease-renew-deadline=${lease.renewDeadlineMs}`,
      `--lease-retry-period=${lease.retryPeriodMs}`,
    ];
    const [command, ...words] =
      netns === undefined
        ? ([process.execPath, ...args] as const)
        : (["nsenter", `--net=/run/netns/${netns}`, process.execPath, ...args] as const);
    const env = { CLUSTER_NAME: CONSUMER, POD_NAME: name, PATH: process.env["PATH"] };
    return new Replica(name, () => {
      const log = openSync(logPath, "a");
      const child = spawn(command, words, { env, stdio: ["ignore", log, log] });
      closeSync(log);
      return child;
    });
  }

  /** The same, ended with the test. */
  async startForTest(name: string, lease?: LeaseTimes, netns?: string): Promise<Replica> {
    const replica = await this.start(name, lease, netns);
    onTestFinished(async () => void (await replica.end("SIGKILL")));
    return replica;
  }

  /** Waits until the Lease has a holder, and it is not `other`; returns its name. */
  async untilLeads(not?: string, timeoutMs = 60_000): Promise<string> {
    const { east } = this.#world();
    const key = { namespace: INSTALL_NAMESPACE, name: LEADER_LEASE_NAME };
    return await eventually(
      async () => {
        const { spec } = await east.get<Lease>(RESOURCES.leases, key);
        const holder = spec?.holderIdentity ?? "";
        if (holder === "" || holder === not) throw new Error(`held by ${JSON.stringify(spec)}`);
        return holder;
      },
      { describe: "a replica leads", timeoutMs },
    );
  }

  /** The Lease without a holder, as if none had ever led. */
  async forgetLease(): Promise<void> {
    const key = { namespace: INSTALL_NAMESPACE, name: LEADER_LEASE_NAME };
    await this.#world().east.remove(RESOURCES.leases, key);
  }

  async #token(name: string): Promise<string> {
    const { east } = this.#world();
    const uid = await this.#podUid(name);
    const answer = await east.request<{ status: { token: string } }>({
      method: "POST",
      path: `/api/v1/namespaces/${INSTALL_NAMESPACE}/serviceaccounts/${CONTROLLER_NAME}/token`,
      body: {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: {
          expirationSeconds: 3600,
          boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
        },
      },
    });
    return answer.status.token;
  }

  /** The Pod that the Deployment would make; it is never scheduled. */
  async #podUid(name: string): Promise<string> {
    const { east } = this.#world();
    const key = { namespace: INSTALL_NAMESPACE, name };
    const { template } = await shippedDeployment();
    const pod = {
      metadata: { ...key, labels: template.metadata.labels },
      spec: { ...template.spec, schedulingGates: [{ name: "isthmus.dev/test" }] },
    };
    const made = await poll(
      `Pod ${name}`,
      async () =>
        (await east.find<KubeObject>(RESOURCES.pods, key)) ??
        (await east.create<KubeObject>(RESOURCES.pods, pod)),
      { timeoutMs: 15_000 },
    );
    return made.metadata.uid ?? "";
  }
}

interface PodOwner {
  template: { metadata: { labels: Record<string, string> }; spec: object };
}

async function shippedDeployment(): Promise<PodOwner> {
  const documents = parseAllDocuments((await readManifestFiles())["base/controller.yaml"] ?? "");
  const deployment = documents
    .map((document): KubeObject & { spec: PodOwner } => document.toJS())
    .find(({ kind }) => kind === "Deployment");
  if (deployment === undefined) throw new Error("controller.yaml has no Deployment");
  return deployment.spec;
}
