import { API_GROUP } from "../../api/names.ts";
import { type ApiError, isApiError, KubeConnectionError } from "../../kube/client/api-error.ts";
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
    const message = error.message.replace(error.server, withPort(error.server));
    return new CliError(message, { fix: CONNECTION_FIXES[error.failure], cause: error });
  }
  if (isApiError(error)) {
    const unknown = unknownKindOf(error);
    const message = unknown && `the cluster does not know ${unknown}: Isthmus is not installed`;
    return new CliError(message ?? error.body?.message ?? error.message, {
      fix: unknown === undefined ? fixOf(error) : "link install",
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
  409: "something else changed the object at the same time; give the command again",
  429: "the API server has too much to do; give the command again in a while",
  500: "the API server failed; see its log, then give the command again",
  503: "the API server or something it calls is not available; give the command again in a while",
};

const USE_ADMIN =
  "use a context whose user may; installing and joining need a cluster administrator";

/** As RBAC words it: whose words name the verb, the resource and where. */
const REFUSAL =
  /cannot (?<verb>[a-z]+) resource "(?<resource>[^"/]+)(\/(?<subresource>[^"]+))?" in API group "(?<group>[^"]*)"( in the namespace "(?<namespace>[^"]+)")?/;

const OWN_PATH = /\/apis\/isthmus\.dev\/[^/]+\/(namespaces\/[^/]+\/)?(?<kind>[a-z]+)/;

function fixOf(error: ApiError): string | undefined {
  if (error.statusCode !== 403) return API_FIXES[error.statusCode];
  const { verb, resource, subresource, group, namespace } =
    REFUSAL.exec(error.message)?.groups ?? {};
  if (verb === undefined || resource === undefined) return USE_ADMIN;
  const what = [
    `kubectl auth can-i ${verb} ${resource}${group ? `.${group}` : ""}`,
    ...(subresource === undefined ? [] : [`--subresource=${subresource}`]),
    namespace === undefined ? "--all-namespaces" : `-n ${namespace}`,
  ];
  return `${USE_ADMIN}. To look: ${what.join(" ")}`;
}

/** A kind of ours that the API server does not know, as opposed to an object that is not there. */
function unknownKindOf({ statusCode, message, body }: ApiError): string | undefined {
  if (statusCode !== 404 || body?.details?.name !== undefined) return undefined;
  const kind = OWN_PATH.exec(message)?.groups?.["kind"];
  return kind === undefined ? undefined : `${kind}.${API_GROUP}`;
}

/** An API server's URL with its port in words, also where it is the usual one. */
function withPort(server: string): string {
  const url = URL.parse(server);
  if (url === null || url.port !== "") return server;
  return server.replace(url.hostname, `${url.hostname}:${url.protocol === "http:" ? 80 : 443}`);
}
