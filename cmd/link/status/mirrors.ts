import { ANNOTATIONS, LABELS, MANAGED_BY } from "../../../api/names.ts";
import { keyOf, type Service } from "../../../api/objects.ts";
import type { MirrorReport } from "./report.ts";

/** Selects the mirrors of one Link, or of all. */
export function mirrorSelector(linkName?: string): string {
  const link = linkName === undefined ? LABELS.link : `${LABELS.link}=${linkName}`;
  return `${LABELS.managedBy}=${MANAGED_BY},${link}`;
}

/** A mirror as it says itself. */
export function mirrorReport(service: Service): MirrorReport {
  const { labels = {}, annotations = {} } = service.metadata;
  return {
    link: labels[LABELS.link] ?? "",
    source: annotations[ANNOTATIONS.source] ?? "",
    mirror: keyOf(service),
    state: annotations[ANNOTATIONS.state] ?? "unknown",
    reason: annotations[ANNOTATIONS.stateReason] ?? "",
    message: annotations[ANNOTATIONS.stateMessage] ?? "",
  };
}
