import type { Random } from "../../api/clock.ts";
import { decideExport, isOfferedTo } from "../../api/export.ts";
import type { ServicePort, Service } from "../../api/objects.ts";
import { parseAuthority } from "./authority.ts";
import type { EndpointIndex, Target } from "./endpoint-index.ts";
import type { ForbidsTarget } from "./forbidden-addresses.ts";

/** A CONNECT request: what it names, and which consumer's session it came over. */
export interface ConnectRequest {
  readonly authority: string | undefined;
  readonly consumer: string;
}

/** What the ingress knows of its own cluster. */
export interface ClusterView {
  /** An exported Service by `namespace/name`. */
  readonly services: { get(key: string): Service | undefined };
  readonly endpoints: Pick<EndpointIndex, "targets">;
  readonly forbids: ForbidsTarget;
}

type RefusalReason =
  | "AuthorityInvalid"
  | "NotExported"
  | "ConsumerNotPermitted"
  | "PortNotExported"
  | "NoReadyEndpoints"
  | "EndpointUnreachable"
  | "Draining"
  | "MethodNotAllowed";

/** No, with the HTTP status and the reason that the consumer hears. */
export interface Refusal {
  readonly status: 400 | 403 | 404 | 405 | 503;
  readonly reason: RefusalReason;
}

/** Targets in the order in which they are to be tried. */
export type ConnectDecision =
  | { readonly ok: true; readonly targets: readonly [Target, ...Target[]] }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * Decides a request from what is true now, by the first policy that objects:
 * the form of the authority, the export, the consumer, the port, a ready
 * endpoint. Two of the endpoints are picked at random, the second in case the
 * first does not answer.
 */
export function authorize(
  request: ConnectRequest,
  view: ClusterView,
  random: Random,
): ConnectDecision {
  const authority = parseAuthority(request.authority);
  if (authority === undefined) return refuse(400, "AuthorityInvalid");
  const { namespace, service: name } = authority;
  const service = view.services.get(`${namespace}/${name}`);
  const decision = service === undefined ? undefined : decideExport(service);
  if (decision?.kind !== "exported") return refuse(404, "NotExported");
  if (!isOfferedTo(decision.offer, request.consumer)) return refuse(403, "ConsumerNotPermitted");
  const port = decision.offer.ports.find((offered) => offered.port === authority.port);
  if (port === undefined) return refuse(403, "PortNotExported");
  const targets = pickTwo(readyTargets(view, namespace, name, port), random);
  return targets === undefined ? refuse(503, "NoReadyEndpoints") : { ok: true, targets };
}

function readyTargets(
  { endpoints, forbids }: ClusterView,
  namespace: string,
  name: string,
  port: ServicePort,
): Target[] {
  return endpoints.targets(namespace, name, port.name ?? "").filter((target) => !forbids(target));
}

function pickTwo(
  targets: readonly Target[],
  random: Random,
): readonly [Target, ...Target[]] | undefined {
  const firstIndex = Math.floor(random() * targets.length);
  const first = targets[firstIndex];
  if (first === undefined) return undefined;
  const others = targets.filter((_target, index) => index !== firstIndex);
  const second = others[Math.floor(random() * others.length)];
  return second === undefined ? [first] : [first, second];
}

function refuse(status: Refusal["status"], reason: RefusalReason): ConnectDecision {
  return { ok: false, refusal: { status, reason } };
}
