import type { LinkSpec, LinkStatus } from "../../api/link.ts";
import { GATEWAY_NAME, INGRESS_PORT, INSTALL_NAMESPACE } from "../../api/names.ts";
import type { Service } from "../../api/objects.ts";
import { REASONS, type Reason } from "../../api/reasons.ts";

/** Key of the provider's gateway Service in a store of its Services. */
export const GATEWAY_SERVICE_KEY = `${INSTALL_NAMESPACE}/${GATEWAY_NAME}`;

const MAX_GATEWAY_ADDRESSES = 16;

/** Where the provider's gateway is reached, or why that is not known. */
export type GatewayTarget =
  | { readonly kind: "resolved"; readonly addresses: readonly string[]; readonly port: number }
  | { readonly kind: "unresolved"; readonly reason: Reason; readonly message: string }
  | { readonly kind: "pending" };

/** What the provider's API says of its gateway Service. */
export type GatewayServiceView =
  | { readonly kind: "unlisted" }
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly service: Service };

/**
 * The addresses and the port of the provider's gateway: what the Link names
 * wins, then what the gateway Service reports, then (before the provider was
 * listed, as after a restart) what the Link's status recorded.
 */
export function resolveGateway(
  spec: LinkSpec,
  view: GatewayServiceView,
  recorded: Pick<LinkStatus, "gatewayAddresses" | "gatewayPort">,
): GatewayTarget {
  const { addresses: named, port: namedPort } = spec.gateway;
  if (named !== undefined) {
    const servicePort = view.kind === "present" ? portFor(view.service, true) : undefined;
    const port = namedPort ?? servicePort ?? recorded.gatewayPort ?? INGRESS_PORT;
    return { kind: "resolved", addresses: unique(named), port };
  }
  if (view.kind === "unlisted") {
    const { gatewayAddresses = [], gatewayPort } = recorded;
    if (gatewayAddresses.length === 0) return { kind: "pending" };
    const port = namedPort ?? gatewayPort ?? INGRESS_PORT;
    return { kind: "resolved", addresses: unique(gatewayAddresses), port };
  }
  if (view.kind === "absent") {
    return {
      kind: "unresolved",
      reason: REASONS.GatewayMissing,
      message: `the provider has no Service ${GATEWAY_SERVICE_KEY}; install Isthmus there with link install.`,
    };
  }
  const reported = (view.service.status?.loadBalancer?.ingress ?? [])
    .map(({ ip, hostname }) => ip ?? hostname ?? "")
    .filter((address) => address !== "");
  if (reported.length === 0) {
    return {
      kind: "unresolved",
      reason: REASONS.GatewayAddressPending,
      message: `the provider's Service ${GATEWAY_SERVICE_KEY} has no load balancer address yet; wait for it, or name the addresses in spec.gateway.addresses.`,
    };
  }
  const port = namedPort ?? portFor(view.service, false) ?? INGRESS_PORT;
  return { kind: "resolved", addresses: unique(reported), port };
}

/** The ingress port of the gateway Service; its node port where addresses of nodes are named. */
function portFor(service: Service, addressesNamed: boolean): number | undefined {
  const ports = service.spec?.ports ?? [];
  const port = ports.find((candidate) => candidate.port === INGRESS_PORT) ?? ports[0];
  const nodePort = service.spec?.type === "NodePort" && addressesNamed ? port?.nodePort : undefined;
  return nodePort ?? port?.port;
}

/** No more than a Link may name: a provider that reports thousands is not probed a thousand times a second. */
function unique(addresses: readonly string[]): string[] {
  return [...new Set(addresses)].slice(0, MAX_GATEWAY_ADDRESSES);
}
