import { isApiError, KubeConnectionError } from "../../kube/client/api-error.ts";
import { errorMessage } from "../../api/errors.ts";

/** What the shell is told; documented in docs/cli.md. */
export const EXIT_CODES = {
  ok: 0,
  failed: 1,
  usage: 2,
  notReady: 3,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** A failure that is told without a stack trace: what is wrong with which object, and what mends it. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  /** What to do next, as a sentence or a command. */
  readonly fix: string | undefined;

  constructor(
    message: string,
    options: { fix?: string | undefined; exitCode?: ExitCode; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.exitCode = options.exitCode ?? EXIT_CODES.failed;
    this.fix = options.fix;
  }
}

/** Whatever was thrown, in words that name the object and the fix. */
export function toCliError(error: unknown, signal?: AbortSignal): CliError {
  if (error instanceof CliError) return error;
  if (signal?.aborted === true) {
    return new CliError("interrupted", { exitCode: EXIT_CODES.interrupted, cause: error });
  }
  if (error instanceof KubeConnectionError) {
    return new CliError(error.message, { fix: CONNECTION_FIXES[error.failure], cause: error });
  }
  if (isApiError(error)) {
    return new CliError(error.body?.message ?? error.message, {
      fix: API_FIXES[error.statusCode],
      cause: error,
    });
  }
  return new CliError(errorMessage(error), { cause: error });
}

const CONNECTION_FIXES: Readonly<Record<KubeConnectionError["failure"], string>> = {
  network:
    "check that the API server runs and that this machine reaches it, or choose another --context",
  timeout: "check that this machine reaches the API server, or choose another --context",
  tls: "check the certificate authority of the cluster in the kubeconfig",
  protocol: "check that the server URL in the kubeconfig is that of a Kubernetes API server",
};

const API_FIXES: Readonly<Record<number, string>> = {
  401: "log in again: the credentials of this context in the kubeconfig are not accepted",
  403: "use a context whose user may do this; installing and joining need a cluster administrator",
};
