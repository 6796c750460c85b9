import { counterpartOf, type FailoverPolicy, type FailoverPort } from "../../../api/failover.ts";
import { ANNOTATIONS } from "../../../api/names.ts";
import type { EndpointPort, Service } from "../../../api/objects.ts";
import { formatSource, type Source } from "../../../api/ownership.ts";
import { type Finding, isReason, REASONS, type Reason } from "../../../api/reasons.ts";

/** The Link that leads to a cluster. */
export interface TargetLink {
  readonly name: string;
  /** Whether its condition Ready is True. */
  readonly open: boolean;
}

/** What is known of one target of a Service. */
export interface TargetFacts {
  readonly source: Source;
  /** Undefined when this cluster has no Link to that one. */
  readonly link: TargetLink | undefined;
  /** The mirror Service of the target, whose egress ports are used. */
  readonly mirror: Service | undefined;
  /** Why there is no mirror; `pending` while that may be for lack of time alone. */
  readonly whyNoMirror: Finding | "pending" | undefined;
}

/** One target as the decision sees it. */
export interface Target {
  readonly source: Source;
  /** Name of the Link that leads there, empty when there is none. */
  readonly link: string;
  /** The Service's own ports on the egress gateways; none when it cannot be used at all. */
  readonly ports: readonly EndpointPort[];
  readonly healthy: boolean;
  /** Why it is healthy or not. */
  readonly reason: Reason;
  readonly message: string;
  /** What a person has to mend about it. */
  readonly findings: readonly Finding[];
}

/**
 * What a target is good for. It is healthy when its Link is Ready and its
 * mirror is recorded as open, which covers the export, a ready endpoint at the
 * provider, and an egress gateway here.
 */
export function assessTarget(
  service: string,
  { source, link, mirror, whyNoMirror }: TargetFacts,
  policy: FailoverPolicy,
): Target {
  const where = `Service ${service}`;
  const what = formatSource(source);
  const unusable = (finding: Finding, isPending = false): Target => ({
    source,
    link: link?.name ?? "",
    ports: [],
    healthy: false,
    ...finding,
    findings: isPending ? [] : [finding],
  });
  if (link === undefined) {
    return unusable({
      reason: REASONS.FailoverTargetUnknown,
      message: `${where}: there is no Link to cluster ${source.cluster}; correct annotation ${ANNOTATIONS.failover}, or join that cluster.`,
    });
  }
  if (mirror === undefined) {
    const isPending = whyNoMirror === "pending";
    const why = isPending
      ? "that has not been looked at yet."
      : (whyNoMirror?.message ??
        `cluster ${source.cluster} does not export it to this cluster; export it there, or correct annotation ${ANNOTATIONS.failover}.`);
    const message = `${where}: ${what} is not mirrored here, so it cannot be failed over to: ${why}`;
    return unusable({ reason: REASONS.FailoverTargetMissing, message }, isPending);
  }
  const { ports, unmatched } = matchPorts(policy.ports, mirror);
  const findings = unmatched.length === 0 ? [] : [portMismatch(where, what, unmatched, mirror)];
  const [mismatch] = findings;
  if (ports.length === 0) {
    const none = {
      reason: REASONS.FailoverPortMismatch,
      message: `${where} has no TCP port that fails over; see annotation ${ANNOTATIONS.failoverPorts}.`,
    };
    return unusable(mismatch ?? none);
  }
  return { source, link: link.name, ports, ...healthOf(link, mirror), findings };
}

function healthOf(
  link: TargetLink,
  { metadata }: Service,
): Pick<Target, "healthy" | "reason" | "message"> {
  const {
    [ANNOTATIONS.state]: state,
    [ANNOTATIONS.stateReason]: reason = "",
    [ANNOTATIONS.stateMessage]: message = "",
  } = metadata.annotations ?? {};
  if (!link.open) {
    return {
      healthy: false,
      reason: REASONS.LinkNotReady,
      message: `Link ${link.name} is not Ready; its conditions say why.`,
    };
  }
  return {
    healthy: state === "open",
    reason: isReason(reason) ? reason : REASONS.NotReady,
    message,
  };
}

function matchPorts(
  wanted: readonly FailoverPort[],
  mirror: Service,
): { ports: EndpointPort[]; unmatched: FailoverPort[] } {
  const offered = mirror.spec?.ports ?? [];
  const unmatched: FailoverPort[] = [];
  const ports = wanted.flatMap((port) => {
    const { name = "", appProtocol } = port.own;
    const egressPort = counterpartOf(port, offered)?.targetPort;
    if (typeof egressPort !== "number") {
      unmatched.push(port);
      return [];
    }
    const protocol = "TCP";
    return [
      { name, protocol, port: egressPort, ...(appProtocol !== undefined && { appProtocol }) },
    ];
  });
  return { ports, unmatched };
}

function portMismatch(
  where: string,
  what: string,
  unmatched: readonly FailoverPort[],
  mirror: Service,
): Finding {
  const names = unmatched.map(({ own, theirs }) => theirs ?? own.name ?? String(own.port));
  const offered = (mirror.spec?.ports ?? []).map(({ name, port }) => name ?? String(port));
  return {
    reason: REASONS.FailoverPortMismatch,
    message: `${where}: ${what} has no port ${names.join(", ")}, so it does not fail over there; its ports are ${offered.join(", ")}. Name them alike, or pair them as own=theirs in annotation ${ANNOTATIONS.failoverPorts}.`,
  };
}
