import { isDnsLabel } from "./names-schema.ts";
import { ANNOTATIONS, LABELS, MANAGED_BY } from "./names.ts";
import type { Service, ServicePort } from "./objects.ts";
import { REASONS, type Reason } from "./reasons.ts";
import { isPort, isTcp } from "./service-ports.ts";

const MAX_LIST_LENGTH = 4096;
const MAX_LIST_ITEMS = 128;

/** What a provider's Service offers, read from its annotations and spec. */
export interface ExportOffer {
  /** Consumers by name, or "all": every Peer. */
  readonly consumers: ReadonlySet<string> | "all";
  /** The TCP ports that are offered. */
  readonly ports: readonly ServicePort[];
  /** Ports left out because they are not TCP. */
  readonly omittedPorts: readonly ServicePort[];
  /** Names in export-ports that the Service does not have. */
  readonly unknownPorts: readonly string[];
}

/** A Service that asks to be exported and cannot be: why, and what mends it. */
export interface ExportRefusal {
  readonly reason: Reason;
  readonly message: string;
}

export type ExportDecision =
  | { readonly kind: "notExported" }
  | { readonly kind: "refused"; readonly refusal: ExportRefusal }
  | { readonly kind: "exported"; readonly offer: ExportOffer };

/** Whether the Service asks to be exported; the cheap test that watchers filter with. */
export function asksForExport(service: Service): boolean {
  return service.metadata.annotations?.[ANNOTATIONS.export] === "true";
}

/**
 * What is exported of a Service, and to whom. Both sides use this one
 * function: the consumer to mirror, the ingress gateway to admit.
 */
export function decideExport(service: Service): ExportDecision {
  if (!asksForExport(service)) return { kind: "notExported" };
  const { namespace, name } = service.metadata;
  const where = `Service ${namespace ?? ""}/${name}`;
  const refuse = (reason: Reason, message: string): ExportDecision => ({
    kind: "refused",
    refusal: { reason, message: `${where}: ${message}` },
  });

  if (service.metadata.labels?.[LABELS.managedBy] === MANAGED_BY) {
    return refuse(
      REASONS.MirrorNotExportable,
      "a mirror cannot be exported again; export the Service it stands for.",
    );
  }
  if (service.spec?.type === "ExternalName") {
    return refuse(
      REASONS.ExternalNameUnsupported,
      "type ExternalName has no endpoints to reach; export the Service it points to.",
    );
  }
  if (service.spec?.clusterIP === "None") {
    return refuse(
      REASONS.HeadlessUnsupported,
      "headless Services are not mirrored yet; export a Service with a ClusterIP.",
    );
  }
  const annotations = service.metadata.annotations ?? {};
  const consumers = parseConsumers(annotations[ANNOTATIONS.exportTo]);
  if (consumers === undefined) {
    return refuse(
      REASONS.ExportInvalid,
      `annotation ${ANNOTATIONS.exportTo} must list cluster names (DNS labels) separated by commas, at most ${MAX_LIST_ITEMS}.`,
    );
  }
  const wanted = parseList(annotations[ANNOTATIONS.exportPorts]);
  if (wanted === "invalid") {
    return refuse(
      REASONS.ExportInvalid,
      `annotation ${ANNOTATIONS.exportPorts} must list port names or numbers separated by commas, at most ${MAX_LIST_ITEMS}.`,
    );
  }
  const all = service.spec?.ports ?? [];
  const selected =
    wanted === undefined ? all : all.filter((port) => wanted.some((item) => isPort(port, item)));
  const unknownPorts = (wanted ?? []).filter((item) => !all.some((port) => isPort(port, item)));
  const ports = selected.filter(isTcp);
  const omittedPorts = selected.filter((port) => !isTcp(port));
  if (ports.length === 0) {
    return unknownPorts.length > 0
      ? refuse(
          REASONS.ExportPortsUnknown,
          `annotation ${ANNOTATIONS.exportPorts} names no port of the Service (${unknownPorts.join(", ")}); use its port names or numbers.`,
        )
      : refuse(REASONS.NoTcpPorts, "it has no TCP port; UDP and SCTP are not mirrored.");
  }
  return { kind: "exported", offer: { consumers, ports, omittedPorts, unknownPorts } };
}

/** Whether an offer is made to this consumer. */
export function isOfferedTo(offer: ExportOffer, consumer: string): boolean {
  return offer.consumers === "all" || offer.consumers.has(consumer);
}

function parseConsumers(text: string | undefined): ReadonlySet<string> | "all" | undefined {
  const items = parseList(text);
  if (items === undefined) return "all";
  if (items === "invalid" || !items.every(isDnsLabel)) return undefined;
  return new Set(items);
}

function parseList(text: string | undefined): string[] | "invalid" | undefined {
  if (text === undefined) return undefined;
  if (text.length > MAX_LIST_LENGTH) return "invalid";
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  return items.length === 0 || items.length > MAX_LIST_ITEMS ? "invalid" : items;
}
