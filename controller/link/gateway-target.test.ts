import { describe, expect, it } from "vitest";
import { type LinkSpec, parseLinkSpec } from "../../api/link.ts";
import type { Service } from "../../api/objects.ts";
import { resolveGateway, type GatewayServiceView } from "./gateway-target.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";

function spec(gateway: Partial<LinkSpec["gateway"]> = {}): LinkSpec {
  return parseLinkSpec({
    metadata: { name: "west" },
    spec: {
      credentialsSecretRef: { name: "s" },
      gateway: { identity: "spiffe://west/isthmus/gateway", ...gateway },
      trustBundle: PEM,
    },
  });
}

function service(type: string, ingress: { ip?: string; hostname?: string }[]): GatewayServiceView {
  const found: Service = {
    metadata: { namespace: "isthmus-system", name: "isthmus-gateway" },
    spec: {
      type,
      ports: [
        { name: "metrics", port: 15020, nodePort: 30001 },
        { name: "ingress", port: 15008, nodePort: 30000 },
      ],
    },
    status: { loadBalancer: { ingress } },
  };
  return { kind: "present", service: found };
}

describe("where a provider's gateway is reached", () => {
  it.each<{
    name: string;
    spec: LinkSpec;
    view: GatewayServiceView;
    recorded?: { gatewayAddresses?: string[]; gatewayPort?: number };
    target: object;
  }>([
    {
      name: "what the load balancer reports, by address or host name",
      spec: spec(),
      view: service("LoadBalancer", [{ ip: "10.0.0.1" }, { hostname: "gw.example" }, {}]),
      target: { kind: "resolved", addresses: ["10.0.0.1", "gw.example"], port: 15008 },
    },
    {
      name: "no more addresses than a Link may name, however many a provider reports",
      spec: spec(),
      view: service(
        "LoadBalancer",
        Array.from({ length: 5000 }, (_, index) => ({ ip: `10.0.${index >> 8}.${index & 255}` })),
      ),
      target: {
        kind: "resolved",
        addresses: Array.from({ length: 16 }, (_, index) => `10.0.0.${index}`),
      },
    },
    {
      name: "what the Link names, once each",
      spec: spec({ addresses: ["10.9.9.9", "10.9.9.9"], port: 443 }),
      view: service("LoadBalancer", [{ ip: "10.0.0.1" }]),
      target: { kind: "resolved", addresses: ["10.9.9.9"], port: 443 },
    },
    {
      name: "the node port at the nodes that the Link names",
      spec: spec({ addresses: ["10.1.0.1"] }),
      view: service("NodePort", []),
      target: { kind: "resolved", addresses: ["10.1.0.1"], port: 30000 },
    },
    {
      name: "what was recorded while the provider is not listed yet",
      spec: spec(),
      view: { kind: "unlisted" },
      recorded: { gatewayAddresses: ["10.0.0.7"], gatewayPort: 15009 },
      target: { kind: "resolved", addresses: ["10.0.0.7"], port: 15009 },
    },
    {
      name: "nowhere yet before the first list",
      spec: spec(),
      view: { kind: "unlisted" },
      target: { kind: "pending" },
    },
    {
      name: "nowhere without a gateway Service",
      spec: spec(),
      view: { kind: "absent" },
      target: { kind: "unresolved", reason: "GatewayMissing" },
    },
    {
      name: "nowhere before the load balancer has an address",
      spec: spec(),
      view: service("LoadBalancer", []),
      target: { kind: "unresolved", reason: "GatewayAddressPending" },
    },
  ])("is $name", ({ spec: of, view, recorded = {}, target }) => {
    expect(resolveGateway(of, view, recorded)).toMatchObject(target);
  });
});
