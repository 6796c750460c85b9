import { stringify } from "yaml";
import type { Clock } from "../../../api/clock.ts";
import {
  CONTROLLER_HEALTH_PORT,
  CONTROLLER_NAME,
  GATEWAY_HEALTH_PORT,
  GATEWAY_NAME,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../../api/names.ts";
import type { KubeObject, Pod, Secret } from "../../../api/objects.ts";
import { apiVersionOf, RESOURCES } from "../../../api/resources.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { lookUp } from "../check/fact.ts";
import { POD_LOG_ACCEPT } from "../check/facts/probe-pod.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { listAll } from "../list-all.ts";
import type { Reporter } from "../reporter.ts";
import { type ArchiveFile, packArchive } from "./archive.ts";
import { KnownSecrets } from "./known-secrets.ts";
import { nodeOutline, OBJECT_QUERIES, type ObjectQuery, SECRETS_QUERY } from "./objects.ts";
import { Redactor } from "./redact.ts";
import { gatherViews } from "./views.ts";

export interface GatherOptions {
  access: ClusterAccess;
  /** Logs and Events of this time, in ms. */
  sinceMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

/** What was gathered. */
export interface Gathered {
  /** A tar.gz. */
  readonly archive: Buffer;
  readonly files: readonly string[];
  /** What could not be read, and why. */
  readonly gaps: readonly string[];
}

const READ_TIMEOUT_MS = 20_000;
/** The newest bytes of a container's log. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;
/** Older lines than these are left out, however new they are: the API server's limit cuts at the other end. */
const MAX_LOG_LINES = 20_000;

/**
 * Reads everything that tells how Isthmus fares in a cluster, without what is secret. Writes nothing there. What cannot
 * be read is told in the archive.
 * @throws the signal's reason when it aborts; KubeConnectionError or ApiError when not even Secrets can be listed:
 * without knowing them nothing could be redacted by them
 */
export async function gather(options: GatherOptions): Promise<Gathered> {
  const { access, signal, clock } = options;
  const startedAt = new Date(clock.nowMs()).toISOString();
  options.reporter.progress("reading Secrets, to know what must not be in the archive");
  const secrets = await listAll<Secret>(access, RESOURCES.secrets, {
    namespace: SECRETS_QUERY.namespace ?? INSTALL_NAMESPACE,
    signal,
  });
  const collection = new Collection(new Redactor(new KnownSecrets(secrets)), options);
  options.reporter.progress("reading objects and Events");
  await Promise.all([
    ...OBJECT_QUERIES.map(async (query) => collection.objects(query)),
    collection.nodes(),
    collection.events(),
    collection.version(),
  ]);
  options.reporter.progress("reading logs and metrics");
  await collection.pods();
  options.reporter.progress("looking at status, services, gateways and checks");
  await gatherViews(access, {
    ...options,
    keep: (path, content) => collection.keep(path, content),
    miss: (what, why) => collection.miss(what, why),
  });
  const files = collection.finish(startedAt);
  const folder = `isthmus-diagnose-${fileName(access.contextName)}`.slice(0, 40);
  return {
    archive: packArchive(folder, files),
    files: files.map(({ path }) => path),
    gaps: collection.gaps,
  };
}

/** What was read so far, redacted as it comes. */
class Collection {
  readonly gaps: string[] = [];
  readonly #files: ArchiveFile[] = [];
  readonly #redactor: Redactor;
  readonly #options: GatherOptions;

  constructor(redactor: Redactor, options: GatherOptions) {
    this.#redactor = redactor;
    this.#options = options;
  }

  keep(path: string, content: string): void {
    this.#files.push({ path, content: this.#redactor.text(content) });
  }

  miss(what: string, why: string): void {
    this.gaps.push(this.#redactor.text(`${what}: ${why}`));
  }

  async objects(query: ObjectQuery): Promise<void> {
    const { resource, namespace, labelSelector, matches = () => true, file } = query;
    const name = file ?? resource.plural;
    const items = await this.#read(name, async (signal) => {
      const found = await listAll(this.#options.access, resource, {
        ...(namespace !== undefined && { namespace }),
        ...(labelSelector !== undefined && { labelSelector }),
        signal,
      });
      return found.filter(matches);
    });
    const head = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    if (items !== undefined)
      this.#keepObjects(
        name,
        items.map((item) => ({ ...head, ...item })),
      );
  }

  async nodes(): Promise<void> {
    const items = await this.#read("nodes", async (signal) =>
      listAll(this.#options.access, RESOURCES.nodes, { signal }),
    );
    if (items !== undefined) this.#keepObjects("nodes", items.map(nodeOutline));
  }

  async version(): Promise<void> {
    const version = await this.#read("version", async (signal) =>
      this.#options.access.client.request<object>({ method: "GET", path: "/version", signal }),
    );
    if (version !== undefined) this.keep("version.json", `${JSON.stringify(version, null, 2)}\n`);
  }

  /** Those about our objects, and those that we made about others. */
  async events(): Promise<void> {
    const { access, clock, sinceMs } = this.#options;
    const items = await this.#read("events", async (signal) =>
      listAll<KubeEvent>(access, RESOURCES.events, { signal }),
    );
    const fromMs = clock.nowMs() - sinceMs;
    const ours = (items ?? []).filter(
      (event) =>
        (event.metadata.namespace === INSTALL_NAMESPACE ||
          event.reportingController?.startsWith("isthmus") === true) &&
        timeOf(event) >= fromMs,
    );
    if (items === undefined) return;
    const head = { apiVersion: apiVersionOf(RESOURCES.events), kind: RESOURCES.events.kind };
    const sorted = ours.toSorted((one, other) => timeOf(one) - timeOf(other));
    this.#keepObjects(
      "events",
      sorted.map((event) => ({ ...head, ...event })),
    );
  }

  /** Logs and metrics of each of our pods. */
  async pods(): Promise<void> {
    const pods = await this.#read("pods", async (signal) =>
      listAll<Pod & { spec?: { containers?: { name: string }[] } }>(
        this.#options.access,
        RESOURCES.pods,
        { namespace: INSTALL_NAMESPACE, signal },
      ),
    );
    await Promise.all(
      (pods ?? []).flatMap((pod) => [
        ...(pod.spec?.containers ?? []).flatMap(({ name }) => [
          this.#log(pod.metadata.name, name, false),
          this.#log(pod.metadata.name, name, true),
        ]),
        this.#metrics(pod),
      ]),
    );
  }

  finish(startedAt: string): ArchiveFile[] {
    const { access, sinceMs } = this.#options;
    const index = {
      program: `link ${packageJson.version}`,
      context: access.contextName,
      gatheredAt: startedAt,
      sinceSeconds: Math.round(sinceMs / 1000),
      notRead: this.gaps,
    };
    this.keep("index.yaml", stringify(index, { lineWidth: 0 }));
    return this.#files.toSorted((one, other) => (one.path < other.path ? -1 : 1));
  }

  async #log(pod: string, container: string, previous: boolean): Promise<void> {
    const { access, sinceMs } = this.#options;
    const key = { namespace: INSTALL_NAMESPACE, name: pod };
    const path = `logs/${pod}/${container}${previous ? ".previous" : ""}.log`;
    const fact = await lookUp(
      this.#options.signal,
      async (signal) =>
        await access.client.request<string>({
          method: "GET",
          path: resourcePath(RESOURCES.pods, key, "log"),
          query: {
            container,
            previous,
            sinceSeconds: Math.ceil(sinceMs / 1000),
            tailLines: MAX_LOG_LINES,
            limitBytes: MAX_LOG_BYTES,
          },
          accept: POD_LOG_ACCEPT,
          signal,
        }),
      READ_TIMEOUT_MS,
    );
    if ("value" in fact) {
      if (fact.value !== "" || !previous) this.keep(path, fact.value);
    } else if (!(previous && fact.unknown.includes("not found"))) {
      // Most containers never ran before.
      this.miss(path, fact.unknown);
    }
  }

  async #metrics({ metadata }: Pod): Promise<void> {
    const app = metadata.labels?.[LABELS.name] ?? "";
    const ports: Record<string, number> = {
      [CONTROLLER_NAME]: CONTROLLER_HEALTH_PORT,
      [GATEWAY_NAME]: GATEWAY_HEALTH_PORT,
    };
    const port = ports[app];
    if (port === undefined) return;
    const key = { namespace: INSTALL_NAMESPACE, name: `${metadata.name}:${port}` };
    const path = `metrics/${metadata.name}.txt`;
    const text = await this.#read(path, async (signal) =>
      this.#options.access.client.request<string>({
        method: "GET",
        path: `${resourcePath(RESOURCES.pods, key, "proxy")}/metrics`,
        accept: "text/plain",
        signal,
      }),
    );
    if (text !== undefined) this.keep(path, text);
  }

  async #read<T>(what: string, read: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const fact = await lookUp(this.#options.signal, read, READ_TIMEOUT_MS);
    if ("value" in fact) return fact.value;
    this.miss(what, fact.unknown);
    return undefined;
  }

  #keepObjects(name: string, items: readonly KubeObject[]): void {
    const documents = items.map((item) => stringify(this.#redactor.object(item), { lineWidth: 0 }));
    this.keep(`objects/${name}.yaml`, documents.join("---\n"));
  }
}

function timeOf({ series, eventTime, metadata }: KubeEvent): number {
  return Date.parse(series?.lastObservedTime ?? eventTime ?? metadata.creationTimestamp ?? "") || 0;
}

/** A context's name as part of a file's: those of clouds have slashes and colons. */
export function fileName(contextName: string): string {
  return contextName.replaceAll(/[^A-Za-z0-9._-]+/g, "-");
}
