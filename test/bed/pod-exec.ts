import { PassThrough, Readable } from "node:stream";
import { Exec, KubeConfig, type V1Status } from "@kubernetes/client-node";
import { openKubeconfig } from "./kubeconfig.ts";
import type { CommandResult, ExecOptions, PodTarget } from "./bed.ts";

const defaultTimeoutMs = 30_000;
const timedOutCode = 124;

interface PodObject {
  spec: { containers: { name: string }[] };
}

async function firstContainer(
  kubeconfigPath: string,
  { namespace, pod }: PodTarget,
): Promise<string> {
  const api = openKubeconfig(kubeconfigPath);
  try {
    const found: PodObject = await api.request(
      "GET",
      `/api/v1/namespaces/${namespace}/pods/${pod}`,
    );
    return found.spec.containers[0]?.name ?? "";
  } finally {
    await api.close();
  }
}

function exitCode(status: V1Status): number {
  if (status.status === "Success") return 0;
  const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
  if (cause?.message === undefined)
    throw new Error(`exec failed: ${status.message ?? JSON.stringify(status)}`);
  return Number(cause.message);
}

/**
 * Runs a command in a container through the API server.
 * @throws Error if the command could not be started; that it fails does not throw.
 */
export async function execInPod(
  kubeconfigPath: string,
  target: PodTarget,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<CommandResult> {
  const container = target.container ?? (await firstContainer(kubeconfigPath, target));
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  const output = { stdout: "", stderr: "" };
  const collect = (name: "stdout" | "stderr") =>
    new PassThrough({ encoding: "utf8" }).on("data", (text: string) => (output[name] += text));
  const input = options.input === undefined ? null : Readable.from([options.input]);
  const stdout = collect("stdout");
  const stderr = collect("stderr");
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => resolve({ ...output, code: timedOutCode }),
      options.timeoutMs ?? defaultTimeoutMs,
    );
    const finish = (status: V1Status) => {
      clearTimeout(timer);
      try {
        const code = exitCode(status);
        // What the socket delivered before the status is still on its way through the streams.
        setImmediate(() => resolve({ ...output, code }));
      } catch (error) {
        reject(error);
      }
    };
    new Exec(config)
      .exec(
        target.namespace,
        target.pod,
        container,
        [...args],
        stdout,
        stderr,
        input,
        false,
        finish,
      )
      .catch((error: unknown) => {
        clearTimeout(timer);
        reject(
          new Error(`exec in pod ${target.namespace}/${target.pod} failed: ${describe(error)}`),
        );
      });
  });
}

function describe(error: unknown): string {
  // The web socket library rejects with an event object instead of an error.
  const isObject = typeof error === "object" && error !== null;
  return isObject && "message" in error && typeof error.message === "string"
    ? error.message
    : String(error);
}
