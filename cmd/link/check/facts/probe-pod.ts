import { randomUUID } from "node:crypto";
import type { Clock } from "../../../../api/clock.ts";
import { errorMessage } from "../../../../api/errors.ts";
import { LABELS } from "../../../../api/names.ts";
import type { KubeObject, Pod } from "../../../../api/objects.ts";
import { RESOURCES } from "../../../../api/resources.ts";
import type { KubeClient } from "../../../../kube/client/client.ts";
import { isApiError } from "../../../../kube/client/api-error.ts";
import { resourcePath } from "../../../../kube/client/resource-path.ts";
import { PROBE_LEAF_FOLDER, PROBE_REQUEST_VARIABLE } from "../../../probe/report.ts";
import { podTrouble } from "../../install/rollout.ts";
import { OWNED_LABELS } from "../../owned-labels.ts";
import type { Reporter } from "../../reporter.ts";
import { type Sighting, waitUntil } from "../../wait-until.ts";
import type { PodTemplateSpec } from "./cluster-facts.ts";

/** Value of app.kubernetes.io/name on the probe's pods. */
export const PROBE_NAME = "isthmus-probe";

/** A pod with the probe program. */
export interface ProbePodOptions {
  readonly namespace: string;
  /** The gateways' pods: the probe takes over image, pull secrets and where it may run. */
  readonly like: PodTemplateSpec;
  readonly mode: "gateways" | "serve" | "call";
  readonly request: object;
  /** Secret to mount as the gateway's leaf. */
  readonly leafSecret?: string;
  /** Whether the pull secrets exist in that namespace. */
  readonly pullSecrets: boolean;
  /** The kubelet ends it after so long, should nobody else. */
  readonly deadlineSeconds: number;
  readonly labels?: Record<string, string>;
  readonly readinessPort?: number;
}

export interface ProbeRun {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
  readonly timeoutMs: number;
}

/** The API server negotiates a pod's log as if it were an object, and sends it as text whatever is asked for. */
export const POD_LOG_ACCEPT = "text/plain, */*";

const MAX_LOG_BYTES = 1024 * 1024;
const REMOVAL_TIMEOUT_MS = 15_000;
/** In a namespace just made its default ServiceAccount, which every pod needs, comes a moment later. */
const CREATE_TIMEOUT_MS = 10_000;

/** The pod as it is sent: fit for a namespace that enforces Pod Security `restricted`. */
export function probePod(options: ProbePodOptions): Pod {
  const { namespace, like, mode, request, leafSecret, readinessPort } = options;
  const [container] = like.containers ?? [];
  const leaf = { name: "leaf", mountPath: PROBE_LEAF_FOLDER, readOnly: true };
  const spec = {
    restartPolicy: "Never",
    activeDeadlineSeconds: options.deadlineSeconds,
    terminationGracePeriodSeconds: 1,
    // It asks nothing of the API server.
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(options.pullSecrets &&
      like.imagePullSecrets !== undefined && { imagePullSecrets: like.imagePullSecrets }),
    ...(like.nodeSelector !== undefined && { nodeSelector: like.nodeSelector }),
    ...(like.tolerations !== undefined && { tolerations: like.tolerations }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      fsGroup: 65_532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "probe",
        image: container?.image ?? "",
        imagePullPolicy: container?.imagePullPolicy ?? "IfNotPresent",
        command: ["/usr/local/bin/node", "/app/probe.mjs", mode],
        env: [{ name: PROBE_REQUEST_VARIABLE, value: JSON.stringify(request) }],
        ...(leafSecret !== undefined && { volumeMounts: [leaf] }),
        ...(readinessPort !== undefined && {
          ports: [{ containerPort: readinessPort }],
          readinessProbe: { tcpSocket: { port: readinessPort }, periodSeconds: 1 },
        }),
        resources: { requests: { cpu: "10m", memory: "48Mi" }, limits: { memory: "256Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
    ...(leafSecret !== undefined && {
      volumes: [{ name: "leaf", secret: { secretName: leafSecret, defaultMode: 0o440 } }],
    }),
  };
  const name = `${PROBE_NAME}-${mode}-${randomUUID().slice(0, 8)}`;
  const labels = { ...OWNED_LABELS, [LABELS.name]: PROBE_NAME, ...options.labels };
  const metadata = { name, namespace, labels };
  return Object.assign<KubeObject, { spec: object }>({ metadata }, { spec });
}

/**
 * Runs a probe to its end and removes its pod in every case, Ctrl-C too.
 * @returns the last line of its log, which is its report.
 * @throws CliError (not ready) when it does not end in time; Error with its log when it fails.
 */
export async function runProbe(pod: Pod, run: ProbeRun): Promise<string> {
  const { client, clock, signal, reporter, timeoutMs } = run;
  const key = { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name };
  try {
    await createPod(pod, run);
    const look = async (): Promise<Sighting<string>> => {
      const found = await client.get<Pod>(RESOURCES.pods, key, { signal });
      const { phase } = found.status ?? {};
      if (phase === "Succeeded" || phase === "Failed") return { found: phase };
      return { missing: podTrouble(found) ?? `Pod ${key.name} is ${phase ?? "Pending"}` };
    };
    const phase = await waitUntil(`Pod ${key.namespace}/${key.name}`, look, {
      clock,
      signal,
      timeoutMs,
      onMissing: (missing) => reporter.progress(missing),
    });
    const log = await readLog(client, key, signal);
    const line = log.trim().split("\n").at(-1) ?? "";
    if (phase === "Succeeded" && line !== "") return line;
    throw new Error(`the probe's pod failed: ${whyFailed(log)}`);
  } finally {
    await removePod(key, run);
  }
}

/** Creates a pod, also in a namespace whose default ServiceAccount is still on its way. */
export async function createPod(pod: Pod, { client, clock, signal }: ProbeRun): Promise<void> {
  const look = async (): Promise<Sighting<true>> => {
    try {
      await client.create<Pod>(RESOURCES.pods, pod, { signal });
      return { found: true };
    } catch (error) {
      const isEarly = isApiError(error, 403) && error.message.includes("serviceaccount");
      if (!isEarly) throw error;
      return { missing: error.message };
    }
  };
  await waitUntil(`Pod ${pod.metadata.name}`, look, {
    clock,
    signal,
    timeoutMs: CREATE_TIMEOUT_MS,
  });
}

async function readLog(
  client: KubeClient,
  key: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<string> {
  return await client.request<string>({
    method: "GET",
    path: resourcePath(RESOURCES.pods, key, "log"),
    query: { limitBytes: MAX_LOG_BYTES },
    accept: POD_LOG_ACCEPT,
    signal,
  });
}

function whyFailed(log: string): string {
  if (/Cannot find module .*probe\.mjs/.test(log)) {
    return "its image holds no probe, it is older than 0.2.0; link upgrade";
  }
  const line = log
    .split("\n")
    .findLast((text) => text.trim() !== "")
    ?.trim();
  return line ?? "its log is empty";
}

/** Without the command's signal: it may have aborted, and nothing is to be left. */
async function removePod(
  key: { namespace: string; name: string },
  { client, clock, reporter }: ProbeRun,
): Promise<void> {
  const { signal } = new AbortController();
  try {
    await client.remove(RESOURCES.pods, key);
    const look = async (): Promise<Sighting<true>> =>
      (await client.find(RESOURCES.pods, key)) === undefined
        ? { found: true }
        : { missing: "it is ending" };
    await waitUntil(`end of Pod ${key.name}`, look, {
      clock,
      signal,
      timeoutMs: REMOVAL_TIMEOUT_MS,
    });
  } catch (error) {
    reporter.warn(
      `Pod ${key.namespace}/${key.name} could not be removed: ${errorMessage(error)}; kubectl -n ${key.namespace} delete pod ${key.name}`,
    );
  }
}
