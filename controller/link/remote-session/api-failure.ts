import { errorMessage } from "../../../api/errors.ts";
import { REASONS, type Reason } from "../../../api/reasons.ts";
import { ApiError, KubeConnectionError } from "../../../kube/client/api-error.ts";

/** Why the provider's API did not give what was asked of it. */
export interface ApiFailure {
  /** `denied`: the provider said no to these credentials; `lost`: it gave no usable answer. */
  readonly kind: "denied" | "lost";
  readonly reason: Reason;
  /** Names the server, what failed and the fix; the same for the same failure, so that it can be compared. */
  readonly message: string;
}

/** Form of the API server's own message: `… cannot list resource "services" in API group "" …`. */
const FORBIDDEN = /cannot (\w+) resource "([^"]+)" in API group "([^"]*)"/;

/**
 * Maps an error of a call to the provider's API server to what an operator can
 * act on. `timedOut`: the caller gave up waiting.
 */
export function classifyApiFailure(error: unknown, server: string, timedOut = false): ApiFailure {
  if (timedOut) return unreachable(server, "no answer in time");
  if (error instanceof ApiError) return classifyAnswer(error, server);
  if (error instanceof KubeConnectionError) return classifyConnection(error, server);
  return lost(REASONS.ServerError, `${server}: ${errorMessage(error)}`);
}

function classifyAnswer(error: ApiError, server: string): ApiFailure {
  if (error.statusCode === 401) {
    return {
      kind: "denied",
      reason: REASONS.CredentialsRejected,
      message: `${server} rejected the credentials (401 Unauthorized): the token expired or was revoked; renew them with link join.`,
    };
  }
  if (error.statusCode === 403) {
    const [, verb, resource, group] = FORBIDDEN.exec(error.body?.message ?? "") ?? [];
    const what =
      verb === undefined || resource === undefined
        ? error.message
        : `verb ${verb} on resource ${resource}${group === undefined || group === "" ? "" : `.${group}`}`;
    return {
      kind: "denied",
      reason: REASONS.PermissionDenied,
      message: `${server} denies the credentials ${what}; grant it with link join or in the provider's RBAC.`,
    };
  }
  return lost(
    REASONS.ServerError,
    `${server} answered ${error.statusCode} ${error.reason}; look at the provider's API server.`,
  );
}

function classifyConnection(error: KubeConnectionError, server: string): ApiFailure {
  if (error.failure === "tls") {
    return lost(
      REASONS.ServerCertificateInvalid,
      `${server} shows a certificate that the kubeconfig's certificate-authority-data does not vouch for (${error.code}); correct the CA or the server's name.`,
    );
  }
  if (error.failure === "protocol") {
    return lost(
      REASONS.ServerError,
      `${server} gave an answer that is not of a Kubernetes API server (${error.code}); check the kubeconfig's server and what stands before it.`,
    );
  }
  return unreachable(server, error.code);
}

function unreachable(server: string, detail: string): ApiFailure {
  return lost(
    REASONS.ServerUnreachable,
    `${server} cannot be reached (${detail}); check the address, the network and the provider's API server.`,
  );
}

function lost(reason: Reason, message: string): ApiFailure {
  return { kind: "lost", reason, message };
}
