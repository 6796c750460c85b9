import { INSTALL_NAMESPACE } from "../../api/names.ts";
import type { Secret } from "../../api/objects.ts";
import type { REASONS, Reason } from "../../api/reasons.ts";
import type { EventContent, EventRecorder, ObjectReference } from "../../kube/events.ts";
import type { Logger } from "../../kube/logger.ts";

/** Where it is told what becomes of this cluster's identity. */
export interface Told {
  events: EventRecorder;
  logger: Logger;
}

/** Says that a Secret of ours cannot be used. */
export function reportSecret(
  told: Told,
  secret: Secret,
  reason: typeof REASONS.AuthorityInvalid | typeof REASONS.LeafInvalid,
  what: string,
): void {
  const note = `Secret ${INSTALL_NAMESPACE}/${secret.metadata.name}: ${what}; correct it, or delete it to have another made (links then have to be joined anew).`;
  told.logger.error({ reason, secret: secret.metadata.name }, note);
  record(told, secret, { type: "Warning", reason, note });
}

/** Says that something was done about this cluster's identity, as an Event on the Secret and a line of the log. */
export function tell(told: Told, secret: Secret, reason: Reason, note: string): void {
  told.logger.info({ reason }, note);
  record(told, secret, { type: "Normal", reason, note });
}

/** Says that something does not go on as it should. */
export function warn(told: Told, secret: Secret, reason: Reason, note: string): void {
  told.logger.warn({ reason }, note);
  record(told, secret, { type: "Warning", reason, note });
}

function record({ events }: Told, secret: Secret, event: Omit<EventContent, "action">): void {
  events.record(referenceOf(secret), { ...event, action: "KeepIdentity" });
}

function referenceOf({ metadata: { name, namespace, uid } }: Secret): ObjectReference {
  return {
    apiVersion: "v1",
    kind: "Secret",
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
  };
}
