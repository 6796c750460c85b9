import { errorMessage } from "../../api/errors.ts";
import { REASONS, type Reason } from "../../api/reasons.ts";
import type { Resource } from "../../api/resources.ts";
import { isApiError } from "../../kube/client/api-error.ts";

const MAX_DETAIL_CHARS = 600;

/**
 * A write that the API server refused, in words for the person who can change
 * that. It is tried again unasked: no change that we watch tells when it would work.
 */
export class WriteFailure extends Error {
  override readonly name = "WriteFailure";
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** A {@link WriteFailure} for answers that a person has to mend; any other error as it is. */
export function toWriteFailure(
  error: unknown,
  verb: string,
  resource: Resource,
  key: string,
): unknown {
  const what = `${resource.kind} ${key}`;
  if (isApiError(error, 403)) {
    const causes = error.body?.details?.causes ?? [];
    if (causes.some(({ reason }) => reason === "NamespaceTerminating")) {
      return new WriteFailure(
        REASONS.NamespaceTerminating,
        `${what} was not written: its namespace is being deleted; create it again once it is gone.`,
        { cause: error },
      );
    }
    return new WriteFailure(
      REASONS.WriteForbidden,
      `${what}: the controller may not ${verb} ${resource.plural}` +
        `${resource.group === "" ? "" : `.${resource.group}`} (${detailOf(error)}); ` +
        `grant it in ClusterRole isthmus-controller, or look at the admission policy that denies it.`,
      { cause: error },
    );
  }
  if (verb === "create" && isApiError(error, 404)) {
    return new WriteFailure(
      REASONS.NamespaceMissing,
      `${what} was not created: its namespace is gone; create it again.`,
      { cause: error },
    );
  }
  if (isApiError(error, 400, 413, 422)) {
    return new WriteFailure(
      REASONS.WriteRejected,
      `${what}: the API server rejected it on ${verb}: ${detailOf(error)}; correct the source Service.`,
      { cause: error },
    );
  }
  return error;
}

function detailOf(error: unknown): string {
  const message = isApiError(error) ? (error.body?.message ?? error.message) : errorMessage(error);
  return message.replaceAll(/\s+/g, " ").trim().slice(0, MAX_DETAIL_CHARS);
}
