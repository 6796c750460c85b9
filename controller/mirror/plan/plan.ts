import {
  ANNOTATIONS,
  CONFIG_MAP_NAME,
  CONTROLLER_NAME,
  INSTALL_NAMESPACE,
} from "../../../api/names.ts";
import { splitKey, type Namespace, type Service } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { LinkView } from "../../link/link-view.ts";
import { type MirrorStatus, mirrorFromExisting, mirrorService } from "./desired.ts";
import type { Presence } from "../damper.ts";
import type { GatewayPod, IpFamily } from "../../own-cluster/gateway-pods.ts";
import { type Candidate, describe, noticesOf, refusalOf, type Skip } from "./policies.ts";

/** Everything a decision about one source of one link rests on. */
export interface MirrorState {
  /** Whether this cluster has a Link of that name. */
  readonly linkExists: boolean;
  readonly view: LinkView | undefined;
  /** Our Services that stand for this source, oldest first; else the one that somebody deleted. */
  readonly mirrors: readonly Service[];
  /** Undefined when the provider does not have the source, or is not fully known. */
  readonly candidate: Candidate | undefined;
  readonly sourceReady: boolean;
  /** Whether, and how far, the source may be followed while it comes and goes too often. */
  readonly damping: { readonly admitted: Presence; readonly flapping: boolean };
  /** Egress ports for the ports of the offer, in their order; undefined when there are not enough. */
  readonly egressPorts: readonly number[] | undefined;
  readonly gateways: readonly GatewayPod[];
  /** Mirrors may not be in its namespace: it is none of those that are listed. */
  readonly outside?: boolean;
  /** Nothing of its namespace can be said yet, or the provider denies it. */
  readonly unread?: "pending" | "denied" | undefined;
}

/** A mirror Service as it should be, and whether its endpoints are. */
export interface DesiredMirror {
  readonly service: Service;
  readonly status: MirrorStatus;
}

export type Plan =
  /** Nothing may be concluded yet. */
  | { readonly kind: "wait" }
  /** No object of ours may stand for the source. */
  | { readonly kind: "absent"; readonly skip?: Skip }
  /** A mirror cannot be had, and what exists is left as it is. */
  | { readonly kind: "blocked"; readonly skip: Skip }
  /** The provider is not known: mirrors that exist stay, and close when they must. */
  | { readonly kind: "hold"; readonly mirrors: readonly DesiredMirror[] }
  /** This mirror and nothing else stands for the source. */
  | {
      readonly kind: "present";
      readonly mirror: DesiredMirror;
      readonly createNamespace: boolean;
      readonly notices: readonly Skip[];
    };

/** Decides about one source of one link. Pure: the same state always gives the same plan. */
export function planMirror(state: MirrorState): Plan {
  const { view, candidate } = state;
  if (state.outside === true) return { kind: "absent" };
  if (view === undefined) return { kind: state.linkExists ? "wait" : "absent" };
  if (view.deleting) return { kind: "absent" };
  if (view.remote === undefined) {
    const mirrors = state.mirrors.map((mirror) => held(mirror, view, state.gateways));
    return { kind: "hold", mirrors };
  }
  if (state.unread !== undefined) return unread(state, view, state.unread);
  if (candidate === undefined) return { kind: "absent" };
  if (candidate.restricted === true && candidate.namespace === undefined) {
    return forbidden(state, candidate);
  }
  const refusal = refusalOf(candidate);
  if (refusal !== undefined) {
    return { kind: "absent", ...(refusal.skip && { skip: refusal.skip }) };
  }
  if (state.damping.admitted === "absent") return { kind: "absent", skip: flappingSkip(candidate) };
  if (candidate.namespace && isTerminating(candidate.namespace)) {
    return { kind: "blocked", skip: terminatingSkip(candidate) };
  }
  return present(state, view, candidate);
}

/** What was in the namespace may be gone: as long as that cannot be seen its mirrors are kept, and closed once it is denied. */
function unread(state: MirrorState, view: LinkView, reading: "pending" | "denied"): Plan {
  const status: MirrorStatus = {
    state: "closed",
    reason: REASONS.SourceNamespaceDenied,
    message: `The credentials of Link ${view.name} may not read the Service's namespace in cluster ${view.clusterName}.`,
  };
  const mirrors = state.mirrors.map((mirror) =>
    reading === "denied" && view.open
      ? { service: mirrorFromExisting(mirror, status), status }
      : held(mirror, view, state.gateways),
  );
  return { kind: "hold", mirrors };
}

/** Nothing can be done in a namespace whose objects cannot be read, whatever is or ought to be there. */
function forbidden({ mirrors }: MirrorState, candidate: Candidate): Plan {
  const refusal = refusalOf(candidate);
  if (refusal === undefined) return { kind: "blocked", skip: forbiddenSkip(candidate) };
  if (mirrors.length > 0) return { kind: "wait" };
  return { kind: "absent", ...(refusal.skip && { skip: refusal.skip }) };
}

function present(state: MirrorState, view: LinkView, candidate: Candidate): Plan {
  const { source, decision, mirrorKey, occupant, namespace } = candidate;
  // A policy has refused what is not exported.
  if (decision.kind !== "exported") return { kind: "absent" };
  const { offer } = decision;
  const existing = occupant && isOurs(occupant) ? occupant : undefined;
  const status = statusOf(view, state, existing);
  const notices = noticesOf(candidate, offer);
  const createNamespace = namespace === undefined;
  if (state.egressPorts === undefined) {
    const skip = {
      reason: REASONS.PortsExhausted,
      message: `${describe(view, source)} has more ports than there are egress ports left; export fewer ports or Services.`,
    };
    if (existing === undefined) return { kind: "blocked", skip };
    const mirror = { service: mirrorFromExisting(existing, status), status };
    return { kind: "present", mirror, createNamespace, notices: [...notices, skip] };
  }
  const service = mirrorService({
    view,
    source,
    mirrorKey,
    ports: offer.ports,
    egressPorts: state.egressPorts,
    status,
    existing,
  });
  return { kind: "present", mirror: { service, status }, createNamespace, notices };
}

/**
 * How much there is of the source, for the damper; undefined while nothing of
 * the provider can be said, or nothing of it counts.
 */
export function presenceOf(state: MirrorState): Presence | undefined {
  const { view, candidate, sourceReady } = state;
  if (view === undefined || view.deleting || view.remote === undefined) return undefined;
  if (state.outside === true || state.unread !== undefined) return undefined;
  if (candidate === undefined || refusalOf(candidate) !== undefined) return "absent";
  return sourceReady ? "ready" : "idle";
}

/** Open only when the link is, the source has an endpoint, and a gateway can take the traffic. */
function statusOf(
  view: LinkView,
  { sourceReady, damping, gateways }: MirrorState,
  existing: Service | undefined,
): MirrorStatus {
  if (!view.open) return linkNotReady(view);
  if (!sourceReady || damping.admitted !== "ready") {
    // One reason for as long as it flaps: to change it each time would be a write each time.
    return damping.flapping
      ? {
          state: "closed",
          reason: REASONS.SourceFlapping,
          message: `The Service loses its ready endpoints again and again in cluster ${view.clusterName}; it is followed after a pause.`,
        }
      : {
          state: "closed",
          reason: REASONS.NoReadyEndpoints,
          message: `The Service has no ready endpoint in cluster ${view.clusterName}.`,
        };
  }
  return gatewayStatus(view, gateways, existing);
}

/**
 * What is known of a mirror while the provider is not: its own record. One
 * that was closed for a reason at the provider stays closed, as unknown is closed.
 */
function held(mirror: Service, view: LinkView, gateways: readonly GatewayPod[]): DesiredMirror {
  const annotations = mirror.metadata.annotations ?? {};
  const reason = annotations[ANNOTATIONS.stateReason];
  const wasOpen =
    annotations[ANNOTATIONS.state] === "open" || reason === REASONS.NoReadyEgressGateway;
  let status: MirrorStatus;
  if (!view.open) status = linkNotReady(view);
  else if (wasOpen) status = gatewayStatus(view, gateways, mirror);
  else {
    status = {
      state: "closed",
      reason: reason === REASONS.NoReadyEndpoints ? reason : REASONS.LinkNotReady,
      message: annotations[ANNOTATIONS.stateMessage] ?? "",
    };
  }
  return { service: mirrorFromExisting(mirror, status), status };
}

function gatewayStatus(
  view: LinkView,
  gateways: readonly GatewayPod[],
  existing: Service | undefined,
): MirrorStatus {
  const families = familiesOf(existing);
  const reachable = gateways.some(({ addresses }) =>
    families.some((family) => addresses[family] !== undefined),
  );
  return reachable
    ? {
        state: "open",
        reason: REASONS.MirrorOpen,
        message: `Traffic goes to cluster ${view.clusterName}.`,
      }
    : {
        state: "closed",
        reason: REASONS.NoReadyEgressGateway,
        message: "No egress gateway of this cluster is Ready.",
      };
}

/** Says no more than the link's name: why it is not ready is on the Link, once, not on each mirror. */
function linkNotReady(view: LinkView): MirrorStatus {
  return {
    state: "closed",
    reason: REASONS.LinkNotReady,
    message: `Link ${view.name} is not Ready; its conditions say why.`,
  };
}

/** The families of a Service; both are possible before the API server chose. */
function familiesOf(service: Service | undefined): readonly IpFamily[] {
  const families = (service?.spec?.ipFamilies ?? []).filter(isIpFamily);
  return families.length > 0 ? families : ["IPv4", "IPv6"];
}

function isIpFamily(family: string): family is IpFamily {
  return family === "IPv4" || family === "IPv6";
}

/** Whether nothing can be made in the namespace any more. */
export function isTerminating({ metadata, status }: Namespace): boolean {
  return metadata.deletionTimestamp !== undefined || status?.phase === "Terminating";
}

function flappingSkip({ view, source }: Candidate): Skip {
  return {
    reason: REASONS.SourceFlapping,
    message: `${describe(view, source)} is exported and taken back again and again; it is mirrored after a pause.`,
  };
}

function forbiddenSkip({ view, source, mirrorKey }: Candidate): Skip {
  const { namespace = "" } = splitKey(mirrorKey);
  return {
    reason: REASONS.NamespaceForbidden,
    message:
      `${describe(view, source)} is not mirrored: namespace ${namespace} is listed in ConfigMap ` +
      `${INSTALL_NAMESPACE}/${CONFIG_MAP_NAME}, and it does not exist or has no RoleBinding ${CONTROLLER_NAME}; create what is missing.`,
  };
}

function terminatingSkip({ view, source, mirrorKey }: Candidate): Skip {
  return {
    reason: REASONS.NamespaceTerminating,
    message:
      `${describe(view, source)} is not mirrored: namespace ${splitKey(mirrorKey).namespace ?? ""} is being deleted; ` +
      `create it again once it is gone.`,
  };
}
