import { type ExportDecision, type ExportOffer, isOfferedTo } from "../../../api/export.ts";
import { DNS_LABEL_MAX_LENGTH } from "../../../api/names-schema.ts";
import { ANNOTATIONS } from "../../../api/names.ts";
import { keyOf, type Namespace, type Service, splitKey } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { REASONS, type Reason } from "../../../api/reasons.ts";
import type { LinkView } from "../../link/link-view.ts";
import { copyAnnotations, copyLabels } from "./copied-metadata.ts";
import { type Claim, isServiceKey } from "./names.ts";
import { matchesSelector } from "./selector.ts";

/** Why a source that asks for it is not mirrored, and what mends it. */
export interface Skip {
  readonly reason: Reason;
  readonly message: string;
}

/** What an EndpointSlice is said to hold; without a bound one source could take all egress ports. */
export const MAX_MIRROR_PORTS = 100;

/** What the policies look at: one source of one link whose provider is fully known. */
export interface Candidate {
  readonly view: LinkView;
  /** Another link has the same cluster and comes first. */
  readonly shadowed: boolean;
  readonly ownClusterName: string;
  readonly source: Service;
  /** With at most {@link MAX_MIRROR_PORTS} ports. */
  readonly decision: ExportDecision;
  /** How many ports the provider offers beyond those. */
  readonly surplusPorts: number;
  /** `namespace/name` that the mirror would have. */
  readonly mirrorKey: string;
  /** The local Service that has this name. */
  readonly occupant: Service | undefined;
  /** Who gets the name, when it is not this source. */
  readonly rival: Claim | undefined;
  /** The local namespace of that name. */
  readonly namespace: Namespace | undefined;
  /** Only listed namespaces may be worked in: one that is not there may just not be readable. */
  readonly restricted?: boolean;
}

/** No mirror may exist; with `skip`, people are told why. */
export interface Refusal {
  readonly skip?: Skip;
}

type Policy = (candidate: Candidate) => Refusal | undefined;

/** Whether the source is meant for this cluster at all. */
const SELECTION: readonly Policy[] = [
  function linkComesSecond({ shadowed }) {
    return shadowed ? {} : undefined;
  },
  function exported({ decision }) {
    if (decision.kind === "notExported") return {};
    return decision.kind === "refused" ? { skip: decision.refusal } : undefined;
  },
  function offeredToUs({ decision, ownClusterName }) {
    return decision.kind === "exported" && !isOfferedTo(decision.offer, ownClusterName)
      ? {}
      : undefined;
  },
  function serviceSelected({ view, source }) {
    const labels = source.metadata.labels ?? {};
    return matchesSelector(view.spec.serviceSelector, labels) ? undefined : {};
  },
  function namespaceSelected({ view, source, namespace }) {
    // What a namespace that is still to be made will carry.
    const made = { "kubernetes.io/metadata.name": source.metadata.namespace ?? "" };
    const labels = namespace === undefined ? made : (namespace.metadata.labels ?? {});
    return matchesSelector(view.spec.namespaceSelector, labels) ? undefined : {};
  },
];

/** Whether the mirror of a selected source can be had here. */
const PLACEMENT: readonly Policy[] = [
  function validName({ view, source, mirrorKey }) {
    if (isServiceKey(mirrorKey)) return undefined;
    const { name } = splitKey(mirrorKey);
    return skip(
      REASONS.NameInvalid,
      `${describe(view, source)} is not mirrored: its mirror would be named ${shorten(name)}, ` +
        `which is no valid Service name (a DNS label of at most ${DNS_LABEL_MAX_LENGTH} characters ` +
        `that begins with a letter); shorten the Service's name or change spec.mirror.nameTemplate of Link ${view.name}.`,
    );
  },
  function namespaceThere({ view, source, namespace, restricted, mirrorKey }) {
    const { namespace: name = "" } = splitKey(mirrorKey);
    if (namespace === undefined && restricted !== true) {
      if (view.spec.mirror.createNamespaces) return undefined;
      return skip(
        REASONS.NamespaceMissing,
        `${describe(view, source)} is not mirrored: this cluster has no namespace ${name}; ` +
          `create it, or set spec.mirror.createNamespaces of Link ${view.name}.`,
      );
    }
    return undefined;
  },
  function nameFree({ view, source, occupant, mirrorKey }) {
    if (occupant === undefined || isOurs(occupant)) return undefined;
    return wasOurs(occupant)
      ? skip(
          REASONS.OwnershipLost,
          `${describe(view, source)} is not mirrored: Service ${mirrorKey} was its mirror and has lost ` +
            `its isthmus labels, so it is left alone; delete it, or put the labels back.`,
        )
      : skip(
          REASONS.NameTaken,
          `${describe(view, source)} is not mirrored: this cluster has a Service ${mirrorKey} of its own; ` +
            `rename either, or change spec.mirror.nameTemplate of Link ${view.name}.`,
        );
  },
  function nameNotClaimed({ view, source, rival, mirrorKey }) {
    if (rival === undefined) return undefined;
    return skip(
      REASONS.NameCollision,
      `${describe(view, source)} is not mirrored: the name ${mirrorKey} belongs to the mirror of ` +
        `${rival.sourceKey} of Link ${rival.link}; change spec.mirror.nameTemplate of one of the Links.`,
    );
  },
];

/** The first policy that refuses a mirror to this source; undefined when it is to be mirrored. */
export function refusalOf(candidate: Candidate): Refusal | undefined {
  return first(SELECTION, candidate) ?? first(PLACEMENT, candidate);
}

/** Whether a source wants a mirror here, leaving aside whether its name can be had. */
export function isSelected(candidate: Candidate): boolean {
  return first(SELECTION, candidate) === undefined;
}

/** Things to tell about a source that is mirrored all the same. */
export function noticesOf({ view, source, surplusPorts }: Candidate, offer: ExportOffer): Skip[] {
  const notices: Skip[] = [];
  const tell = (reason: Reason, message: string): void => {
    notices.push({ reason, message: `${describe(view, source)} ${message}` });
  };
  if (offer.omittedPorts.length > 0) {
    const ports = offer.omittedPorts.map(({ port, protocol }) => `${port}/${protocol}`);
    tell(
      REASONS.PortsOmitted,
      `is mirrored without ${shorten(ports.join(", "))}: only TCP is carried.`,
    );
  }
  if (surplusPorts > 0) {
    tell(
      REASONS.PortsOmitted,
      `is mirrored with its first ${MAX_MIRROR_PORTS} TCP ports, without ${surplusPorts} more; ` +
        `its annotation ${ANNOTATIONS.exportPorts} chooses among them.`,
    );
  }
  if (offer.unknownPorts.length > 0) {
    tell(
      REASONS.ExportPortsUnknown,
      `has no port ${shorten(offer.unknownPorts.join(", "))}, ` +
        `which its annotation ${ANNOTATIONS.exportPorts} names; use its port names or numbers.`,
    );
  }
  const { labels, annotations } = source.metadata;
  const omitted = copyLabels(labels).omitted + copyAnnotations(annotations).omitted;
  if (omitted > 0) {
    tell(
      REASONS.MetadataOmitted,
      `is mirrored without ${omitted} of its labels and annotations, which are too large to be copied.`,
    );
  }
  return notices;
}

/** `Service shop/web of cluster west`. */
export function describe(view: LinkView, source: Service): string {
  return `Service ${keyOf(source)} of cluster ${view.clusterName}`;
}

function first(policies: readonly Policy[], candidate: Candidate): Refusal | undefined {
  for (const policy of policies) {
    const refusal = policy(candidate);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function skip(reason: Reason, message: string): Refusal {
  return { skip: { reason, message } };
}

/** A foreign Service keeps managedFields in the cache only when they name us. */
function wasOurs(service: Service): boolean {
  return (service.metadata.managedFields ?? []).length > 0;
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
