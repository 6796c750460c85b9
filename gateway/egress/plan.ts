import { errorMessage } from "../../api/errors.ts";
import { type Link, type LinkSpec, clusterNameOf, parseLinkSpec } from "../../api/link.ts";
import {
  ANNOTATIONS,
  INGRESS_PORT,
  LABELS,
  connectAuthority,
  isEgressPort,
} from "../../api/names.ts";
import { type Service, keyOf } from "../../api/objects.ts";
import { isOurs, sourceOf } from "../../api/ownership.ts";
import { REASONS } from "../../api/reasons.ts";
import { parseBundle } from "../../pki/certificate.ts";
import type { GatewayAddress } from "../session/peer-session.ts";

/** What a link is dialled with, and whether the controller lets connections through. */
export interface LinkTarget {
  readonly clusterName: string;
  readonly addresses: readonly GatewayAddress[];
  readonly identity: string;
  readonly bundlePem: string;
  readonly probe: LinkSpec["probe"];
  readonly admission: Admission;
}

/** Whether a Link's condition Ready is True, with the reason and the message it gives. */
export interface Admission {
  readonly admitted: boolean;
  readonly reason: string;
  readonly message: string;
}

/** Where the connections of one egress port go. */
interface Route {
  readonly link: string;
  /** Authority of the CONNECT stream. */
  readonly authority: string;
  /** The Service that it names, in the provider's cluster. */
  readonly source: { readonly namespace: string; readonly service: string; readonly port: number };
  /** `namespace/name` of the mirror Service. */
  readonly mirror: string;
  /** Whether the controller recorded the mirror as open. */
  readonly open: boolean;
}

/** What the egress should be doing, from the objects of its own cluster. */
export interface EgressPlan {
  readonly links: ReadonlyMap<string, LinkTarget>;
  /** Links that cannot be dialled, and why. */
  readonly problems: ReadonlyMap<string, string>;
  readonly routes: ReadonlyMap<number, Route>;
  /** `link/namespace/name` of the Services that routes lead to. */
  readonly mirrored: ReadonlySet<string>;
}

/**
 * Plans links and routes. A mirror counts only if it is ours, if its link can
 * be dialled, and if its source is of that link's cluster. A port that two
 * mirrors claim goes to the older one, also while that one is closed. `read` may remember what it made of a
 * Link before.
 */
export function planEgress(
  links: readonly Link[],
  mirrors: readonly Service[],
  read: (link: Link) => LinkTarget = readLinkTarget,
): EgressPlan {
  const targets = new Map<string, LinkTarget>();
  const problems = new Map<string, string>();
  for (const link of links) {
    try {
      targets.set(link.metadata.name, read(link));
    } catch (error) {
      problems.set(link.metadata.name, errorMessage(error));
    }
  }
  const routes = new Map<number, Route>();
  const mirrored = new Set<string>();
  for (const mirror of mirrors.toSorted(byAge)) {
    for (const [port, route] of routesOf(mirror, targets)) {
      if (routes.has(port)) continue;
      routes.set(port, route);
      mirrored.add(`${route.link}/${route.source.namespace}/${route.source.service}`);
    }
  }
  return { links: targets, problems, routes, mirrored };
}

/** What a Link is dialled with. Throws an Error that says why it cannot be. */
export function readLinkTarget(link: Link): LinkTarget {
  const spec = parseLinkSpec(link);
  parseBundle(spec.trustBundle);
  return {
    clusterName: clusterNameOf(link, spec),
    addresses: addressesOf(link, spec),
    identity: spec.gateway.identity,
    bundlePem: spec.trustBundle,
    probe: spec.probe,
    admission: admissionOf(link),
  };
}

/** What is not recorded as Ready is closed: unknown is closed. */
function admissionOf({ status }: Link): Admission {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return {
    admitted: ready?.status === "True",
    reason: ready?.reason ?? REASONS.NotReady,
    message: ready?.message ?? "The Link has no condition Ready yet.",
  };
}

function addressesOf({ metadata, status }: Link, { gateway }: LinkSpec): GatewayAddress[] {
  const hosts = gateway.addresses ?? status?.gatewayAddresses ?? [];
  if (hosts.length === 0) {
    throw new Error(`Link ${metadata.name}: the address of the remote gateway is not known yet`);
  }
  const port = gateway.port ?? status?.gatewayPort ?? INGRESS_PORT;
  return hosts.map((host) => ({ host, port }));
}

function* routesOf(
  mirror: Service,
  links: ReadonlyMap<string, LinkTarget>,
): Generator<[number, Route]> {
  const link = mirror.metadata.labels?.[LABELS.link] ?? "";
  const source = sourceOf(mirror);
  const target = links.get(link);
  if (!isOurs(mirror) || source === undefined || target?.clusterName !== source.cluster) return;
  const open = mirror.metadata.annotations?.[ANNOTATIONS.state] === "open";
  for (const { port, targetPort, protocol } of mirror.spec?.ports ?? []) {
    if (typeof targetPort !== "number" || (protocol ?? "TCP") !== "TCP") continue;
    if (!isEgressPort(targetPort)) continue;
    const { namespace, name: service } = source;
    const authority = connectAuthority(namespace, service, port);
    const named = { namespace, service, port };
    yield [targetPort, { link, authority, source: named, mirror: keyOf(mirror), open }];
  }
}

function byAge(one: Service, other: Service): number {
  const ages = [one, other].map(({ metadata }) => metadata.creationTimestamp ?? "");
  const [first = "", second = ""] = ages[0] === ages[1] ? [keyOf(one), keyOf(other)] : ages;
  return first < second ? -1 : 1;
}
