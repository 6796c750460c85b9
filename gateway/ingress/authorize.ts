import type { Random } from "../../api/clock.ts";
import { decideExport, isOfferedTo } from "../../api/export.ts";
import type { ServicePort, Service } from "../../api/objects.ts";
import type { RefusalReason } from "../stream/refusal-reasons.ts";
import type { Authority } from "./authority.ts";
import type { EndpointIndex, Target } from "./endpoint-index.ts";
import type { ForbidsTarget } from "./forbidden-addresses.ts";

/** A CONNECT request: what it names, and which consumer's session it came over. */
export interface ConnectRequest {
  /** Undefined when it cannot be read as one of ours. */
  readonly authority: Authority | undefined;
  readonly consumer: string;
}

/** What the ingress knows of its own cluster. */
export interface ClusterView {
  /** An exported Service by `namespace/name`. */
  readonly services: { get(key: string): Service | undefined };
  readonly endpoints: Pick<EndpointIndex, "targets">;
  readonly forbids: ForbidsTarget;
}

/** No, with the HTTP status and the reason that the consumer hears. */
export interface Refusal {
  readonly status: 400 | 403 | 404 | 405 | 503;
  readonly reason: RefusalReason;
}

/** Targets in the order in which they are to be tried, and what the stream is for. */
export type ConnectDecision =
  | {
      readonly ok: true;
      readonly targets: readonly [Target, ...Target[]];
      /** The Service as `namespace/name`. */
      readonly admitted: { readonly service: string; readonly port: number };
    }
  | { readonly ok: false; readonly refusal: Refusal };

/**
 * Decides a request from what is true now, by the first policy that objects:
 * the form of the authority, the export, the consumer, the port, a ready
 * endpoint. Two of the endpoints are picked at random, the second in case the
 * first does not answer.
 */
export function authorize(
  { authority, consumer }: ConnectRequest,
  view: ClusterView,
  random: Random,
): ConnectDecision {
  if (authority === undefined) {
    return { ok: false, refusal: { status: 400, reason: "AuthorityInvalid" } };
  }
  const { namespace, service, port } = authority;
  const key = `${namespace}/${service}`;
  const offer = offeredPort(view.services.get(key), { consumer, port });
  if ("refusal" in offer) return { ok: false, refusal: offer.refusal };
  const portName = offer.offered.name ?? "";
  const targets = pickTwo(view.endpoints.targets(namespace, service, portName), view, random);
  return targets === undefined
    ? { ok: false, refusal: { status: 503, reason: "NoReadyEndpoints" } }
    : { ok: true, targets, admitted: { service: key, port } };
}

/** The port of a Service that a consumer asks for, when it is offered to that consumer; otherwise why it is not. */
export function offeredPort(
  service: Service | undefined,
  { consumer, port }: { consumer: string; port: number },
): { readonly offered: ServicePort } | { readonly refusal: Refusal } {
  const decision = service === undefined ? undefined : decideExport(service);
  if (decision?.kind !== "exported") {
    return { refusal: { status: 404, reason: "NotExported" } };
  }
  if (!isOfferedTo(decision.offer, consumer)) {
    return { refusal: { status: 403, reason: "ConsumerNotPermitted" } };
  }
  const offered = decision.offer.ports.find((candidate) => candidate.port === port);
  return offered === undefined
    ? { refusal: { status: 403, reason: "PortNotExported" } }
    : { offered };
}

/** How many endpoints are looked at for two that are permitted: whoever writes a million that are not costs no more. */
export const MAX_LOOKS = 16;

/** Two at random, of those that are permitted. */
function pickTwo(
  targets: readonly Target[],
  { forbids }: Pick<ClusterView, "forbids">,
  random: Random,
): readonly [Target, ...Target[]] | undefined {
  const picked: Target[] = [];
  // The beginning of a Fisher-Yates shuffle, of which only what moved is kept.
  const moved = new Map<number, number>();
  const looks = Math.min(targets.length, MAX_LOOKS);
  for (let look = 0; look < looks && picked.length < 2; look += 1) {
    const index = look + Math.floor(random() * (targets.length - look));
    const target = targets[moved.get(index) ?? index];
    moved.set(index, moved.get(look) ?? look);
    if (target !== undefined && !forbids(target)) picked.push(target);
  }
  const [first, ...others] = picked;
  return first === undefined ? undefined : [first, ...others];
}
