import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { listAll } from "../list-all.ts";
import type { ReadingGaps } from "../not-read.ts";
import type { LinkReport, MirrorReport, SkippedService } from "./report.ts";

const SKIP_REASONS: ReadonlySet<string> = new Set([
  REASONS.NameCollision,
  REASONS.NameTaken,
  REASONS.NameInvalid,
  REASONS.NamespaceMissing,
  REASONS.NamespaceTerminating,
  REASONS.PortsExhausted,
  REASONS.NoTcpPorts,
  REASONS.ExportPortsUnknown,
  REASONS.ExportInvalid,
  REASONS.ExternalNameUnsupported,
  REASONS.HeadlessUnsupported,
  REASONS.MirrorNotExportable,
  REASONS.OwnershipLost,
  REASONS.WriteForbidden,
  REASONS.WriteRejected,
]);

/** The Events that {@link skippedServices} reads; where they cannot be had, none, and a gap. */
export function readSkipEvents(
  access: Pick<ClusterAccess, "client">,
  gaps: ReadingGaps,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const reading = listAll(access, RESOURCES.events, { namespace: INSTALL_NAMESPACE, signal });
  return gaps.orElse("Events, which say what is skipped", reading, []);
}

/**
 * What is skipped, from the Events on the Links: the last word on each Service.
 * Events outlive what they tell of, so one whose Service has a mirror by now, or
 * whose Link counts nothing as skipped, is history and left out.
 */
export function skippedServices(
  events: readonly KubeObject[],
  links: readonly LinkReport[],
  mirrors: readonly MirrorReport[],
): SkippedService[] {
  const mirrored = new Set(mirrors.map(({ source }) => source));
  const latest = new Map<string, SkippedService>();
  for (const event of events as readonly KubeEvent[]) {
    const link = links.find(({ name }) => name === event.regarding?.name);
    if (link === undefined || link.skipped === 0 || !isSkip(event)) continue;
    const skipped = toSkipped(event, link);
    if (mirrored.has(skipped.source)) continue;
    const key = `${link.name} ${skipped.source === "" ? skipped.message : skipped.source}`;
    const before = latest.get(key);
    if (before === undefined || before.lastSeenAt < skipped.lastSeenAt) latest.set(key, skipped);
  }
  return [...latest.values()].toSorted((a, b) => (a.source < b.source ? -1 : 1));
}

function isSkip({ type, reason, regarding }: KubeEvent): boolean {
  return type === "Warning" && regarding?.kind === "Link" && SKIP_REASONS.has(reason ?? "");
}

function toSkipped(event: KubeEvent, link: LinkReport): SkippedService {
  const message = event.note ?? "";
  return {
    link: link.name,
    source: sourceIn(message, link.cluster),
    reason: event.reason ?? "",
    message,
    lastSeenAt: event.series?.lastObservedTime ?? event.eventTime ?? "",
  };
}

/** The controller's notes begin with the Service: `Service shop/web of cluster west …`, `Service shop/web: …`. */
function sourceIn(note: string, cluster: string): string {
  const key = /^Service ([a-z0-9-]+\/[a-z0-9-]+)(?=[: ])/.exec(note)?.[1];
  return key === undefined ? "" : `${cluster}/${key}`;
}
