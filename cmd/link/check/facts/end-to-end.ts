import { randomUUID } from "node:crypto";
import { errorMessage } from "../../../../api/errors.ts";
import { ANNOTATIONS, LABELS } from "../../../../api/names.ts";
import type { KubeObject, Pod, Service } from "../../../../api/objects.ts";
import { formatSource, isOurs } from "../../../../api/ownership.ts";
import { RESOURCES } from "../../../../api/resources.ts";
import type { ClusterAccess } from "../../cluster-access.ts";
import {
  callReportSchema,
  type CallReport,
  PROBE_SERVER_PORT,
  type CallRequest,
  type ServeRequest,
} from "../../../probe/report.ts";
import { OWNED_LABELS } from "../../owned-labels.ts";
import { type Sighting, waitUntil } from "../../wait-until.ts";
import type { PodTemplateSpec } from "./cluster-facts.ts";
import { createPod, PROBE_NAME, probePod, type ProbeRun, runProbe } from "./probe-pod.ts";

/** A link to try from end to end. */
export interface EndToEndOptions {
  readonly linkName: string;
  /** Cluster names. */
  readonly provider: string;
  readonly consumer: string;
  readonly providerAccess: ClusterAccess;
  readonly consumerAccess: ClusterAccess;
  /** The gateways' pods of either side. */
  readonly providerPods: PodTemplateSpec;
  readonly consumerPods: PodTemplateSpec;
  readonly run: Omit<ProbeRun, "client">;
}

/** How far it came: each step needs those before it. */
export interface EndToEndReport {
  readonly step: "server" | "mirror" | "call" | "done";
  readonly message: string;
}

const DEADLINE_SECONDS = 120;
const CALL_TIMEOUT_MS = 10_000;
const REMOVAL_TIMEOUT_MS = 30_000;
const SERVICE_PORT = 80;

/**
 * Exports a Service of its own from a namespace of its own, waits for its mirror, calls it from a pod of the consumer,
 * and removes everything in every case, Ctrl-C too. Never throws but for the signal's abort.
 */
export async function tryEndToEnd(options: EndToEndOptions): Promise<EndToEndReport> {
  const { providerAccess, consumerAccess, run } = options;
  const name = `isthmus-check-${randomUUID().slice(0, 8)}`;
  const progress: { step: EndToEndReport["step"] } = { step: "server" };
  try {
    return await attempt(options, name, progress);
  } catch (error) {
    run.signal.throwIfAborted();
    return { step: progress.step, message: errorMessage(error) };
  } finally {
    await Promise.all(
      [providerAccess, consumerAccess].map(async (access) => removeNamespace(access, name, run)),
    );
  }
}

async function attempt(
  options: EndToEndOptions,
  namespace: string,
  progress: { step: EndToEndReport["step"] },
): Promise<EndToEndReport> {
  const { linkName, provider, consumer, providerAccess, consumerAccess, run } = options;
  const { signal, clock, timeoutMs, reporter } = run;
  const nonce = randomUUID();
  reporter.progress(`Link ${linkName}: a Service of its own in namespace ${namespace}`);
  for (const { client } of [providerAccess, consumerAccess]) {
    await client.create(RESOURCES.namespaces, namespaceObject(namespace), { signal });
  }
  const there = { ...run, client: providerAccess.client };
  const here = { ...run, client: consumerAccess.client };
  await startServer(namespace, { nonce }, options.providerPods, there);
  await there.client.create(RESOURCES.services, exportedService(namespace, consumer), { signal });
  progress.step = "mirror";
  const source = formatSource({ cluster: provider, namespace, name: PROBE_NAME });
  const mirror = await waitUntil(
    `mirror of ${source}`,
    async () => await lookForMirror(here.client, { namespace, source, linkName }, signal),
    { clock, signal, timeoutMs, onMissing: (missing) => reporter.progress(missing) },
  );
  progress.step = "call";
  const request: CallRequest = {
    host: `${mirror}.${namespace}.svc`,
    port: SERVICE_PORT,
    nonce,
    timeoutMs: CALL_TIMEOUT_MS,
  };
  const pod = probePod({
    namespace,
    like: options.consumerPods,
    mode: "call",
    request,
    pullSecrets: false,
    deadlineSeconds: DEADLINE_SECONDS,
  });
  const report: CallReport = callReportSchema.parse(JSON.parse(await runProbe(pod, here)));
  if (report.answered) {
    return {
      step: "done",
      message: `${request.host} answered from ${provider} in ${report.tookMs} ms, at attempt ${report.attempts}`,
    };
  }
  return {
    step: "call",
    message: `${request.host} did not answer in ${report.attempts} attempts: ${report.last}`,
  };
}

function namespaceObject(name: string): KubeObject {
  const labels = { ...OWNED_LABELS, "pod-security.kubernetes.io/enforce": "restricted" };
  return { metadata: { name, labels } };
}

async function startServer(
  namespace: string,
  request: ServeRequest,
  like: PodTemplateSpec,
  run: ProbeRun,
): Promise<void> {
  const { client, clock, signal, timeoutMs, reporter } = run;
  const pod = probePod({
    namespace,
    like,
    mode: "serve",
    request,
    pullSecrets: false,
    deadlineSeconds: DEADLINE_SECONDS,
    labels: { [LABELS.name]: PROBE_NAME },
    readinessPort: PROBE_SERVER_PORT,
  });
  await createPod(pod, run);
  const look = async (): Promise<Sighting<true>> => {
    const key = { namespace, name: pod.metadata.name };
    const { status } = await client.get<Pod>(RESOURCES.pods, key, { signal });
    const ready = status?.conditions?.some(
      ({ type, status: is }) => type === "Ready" && is === "True",
    );
    return ready === true
      ? { found: true }
      : { missing: `the probe's server at the provider is ${status?.phase ?? "Pending"}` };
  };
  await waitUntil(`Pod ${namespace}/${pod.metadata.name} at the provider`, look, {
    clock,
    signal,
    timeoutMs,
    onMissing: (missing) => reporter.progress(missing),
  });
}

function exportedService(namespace: string, consumer: string): Service {
  return {
    metadata: {
      name: PROBE_NAME,
      namespace,
      labels: OWNED_LABELS,
      annotations: { [ANNOTATIONS.export]: "true", [ANNOTATIONS.exportTo]: consumer },
    },
    spec: {
      selector: { [LABELS.name]: PROBE_NAME },
      ports: [{ name: "http", port: SERVICE_PORT, targetPort: PROBE_SERVER_PORT }],
    },
  };
}

async function lookForMirror(
  client: ProbeRun["client"],
  { namespace, source, linkName }: { namespace: string; source: string; linkName: string },
  signal: AbortSignal,
): Promise<Sighting<string>> {
  const { items } = await client.list<Service>(RESOURCES.services, { namespace, signal });
  const mirror = items
    .filter(isOurs)
    .find(({ metadata }) => metadata.annotations?.[ANNOTATIONS.source] === source);
  if (mirror === undefined) return { missing: `Link ${linkName} has made no mirror of ${source}` };
  const { annotations = {}, name } = mirror.metadata;
  if (annotations[ANNOTATIONS.state] === "open") return { found: name };
  const reason = annotations[ANNOTATIONS.stateReason] ?? "no state yet";
  const message = annotations[ANNOTATIONS.stateMessage] ?? "";
  return { missing: `mirror ${name} is closed: ${reason}: ${message}` };
}

/** Without the command's signal: it may have aborted, and nothing is to be left. */
async function removeNamespace(
  { client, contextName }: ClusterAccess,
  name: string,
  { clock, reporter }: Omit<ProbeRun, "client">,
): Promise<void> {
  const { signal } = new AbortController();
  try {
    await client.remove(RESOURCES.namespaces, { name });
    const look = async (): Promise<Sighting<true>> =>
      (await client.find(RESOURCES.namespaces, { name })) === undefined
        ? { found: true }
        : { missing: "it is ending" };
    await waitUntil(`end of namespace ${name}`, look, {
      clock,
      signal,
      timeoutMs: REMOVAL_TIMEOUT_MS,
    });
  } catch (error) {
    reporter.warn(
      `namespace ${name} could not be removed: ${errorMessage(error)}; kubectl --context ${contextName} delete namespace ${name}`,
    );
  }
}
