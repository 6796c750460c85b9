import { keyOf, type Service } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";
import { apiVersionOf, type Resource, RESOURCES } from "../../api/resources.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { LinkView } from "../link/link-view.ts";
import type { Ledger } from "./ledger.ts";
import type { OwnObject, Purpose } from "./mirror-writer/own-objects.ts";
import type { MirrorStatus } from "./plan/desired.ts";
import type { Skip } from "./plan/policies.ts";
import { plainText } from "../../api/plain-text.ts";
import { FREE_REPAIRS } from "../object-writer/repair-guard.ts";

/** Notes what became of each source, and tells people by Events on the Link when that changed. */
export class Reporter {
  readonly #events: Pick<EventRecorder, "record">;
  readonly #ledger: Ledger;

  constructor(events: Pick<EventRecorder, "record">, ledger: Ledger) {
    this.#events = events;
    this.#ledger = ledger;
  }

  created({ sourceKey }: Purpose, view: LinkView | undefined, mirror: Service): void {
    if (view === undefined) return;
    const message = `Service ${keyOf(mirror)} stands for ${sourceKey} of cluster ${view.clusterName}.`;
    this.#record(view, "Normal", { reason: REASONS.MirrorCreated, message }, mirror);
  }

  removed({ sourceKey }: Purpose, view: LinkView | undefined, mirror: Service): void {
    if (view === undefined) return;
    const message = `Service ${keyOf(mirror)} is gone: ${sourceKey} of cluster ${view.clusterName} is not mirrored any more.`;
    this.#record(view, "Normal", { reason: REASONS.MirrorRemoved, message }, mirror);
  }

  /** Somebody else changed the mirror and it was put back: told the first time, and when they insist. */
  repaired(view: LinkView | undefined, mirror: Service, repairs: number): void {
    if (view === undefined) return;
    const what = `Service ${keyOf(mirror)} or what belongs to it was changed by somebody else`;
    if (repairs === 1) {
      const message = `${what}, and is what it should be again.`;
      this.#record(view, "Normal", { reason: REASONS.MirrorUpdated, message }, mirror);
    }
    if (repairs === FREE_REPAIRS) {
      const message = `${what} again and again; it is put right at growing intervals. metadata.managedFields names who writes it.`;
      this.#record(view, "Warning", { reason: REASONS.MirrorUpdated, message }, mirror);
    }
  }

  /** The source has a mirror; each notice is told once while it lasts. */
  mirrored(
    { link, sourceKey }: Purpose,
    view: LinkView | undefined,
    { state, reason }: Pick<MirrorStatus, "state" | "reason">,
    notices: readonly Skip[],
  ): void {
    const entry = { kind: "mirrored", state, reason, notices } as const;
    const before = this.#ledger.note(link, sourceKey, entry);
    const told = before?.kind === "mirrored" ? before.notices : [];
    for (const notice of notices) {
      if (view && !told.some(({ message }) => message === notice.message)) {
        this.#record(view, "Warning", notice);
      }
    }
  }

  /** The source has no mirror and ought to; told once for each reason. */
  skipped({ link, sourceKey }: Purpose, view: LinkView | undefined, skip: Skip): void {
    const before = this.#ledger.note(link, sourceKey, { kind: "skipped", skip });
    if (view && (before?.kind !== "skipped" || before.skip.reason !== skip.reason)) {
      this.#record(view, "Warning", skip);
    }
  }

  /** An object of ours is being deleted, and somebody else's finalizers keep it. */
  deletionBlocked(view: LinkView | undefined, { resource, object }: OwnObject): void {
    if (view === undefined) return;
    const finalizers = (object.metadata.finalizers ?? []).join(", ");
    const message = `${resource.kind} ${keyOf(object)} is deleted, and stays until its finalizers ${finalizers} are removed by those who set them.`;
    this.#record(view, "Warning", { reason: REASONS.DeletionBlocked, message });
  }

  /** The source has no mirror and wants none; whether that is news. */
  unwanted({ link, sourceKey }: Purpose): boolean {
    return this.#ledger.note(link, sourceKey, undefined) !== undefined;
  }

  #record(
    { metadata }: LinkView,
    type: "Normal" | "Warning",
    { reason, message }: Skip,
    mirror?: Service,
  ): void {
    this.#events.record(referenceTo(RESOURCES.links, metadata), {
      type,
      reason,
      action: "Mirror",
      note: plainText(message),
      ...(mirror && { related: referenceTo(RESOURCES.services, mirror.metadata) }),
    });
  }
}

function referenceTo(resource: Resource, { name, namespace, uid }: Service["metadata"]) {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
  };
}
