import { describe, expect, test } from "vitest";
import type { Pod, Service } from "../../../api/objects.ts";
import {
  endpointForLink,
  type GatewayDeployment,
  type GatewayObjects,
  locateGateway,
  type Node,
} from "./gateway-endpoint.ts";

const service = (spec: Partial<NonNullable<Service["spec"]>>, ips: string[] = []): Service => ({
  metadata: { name: "isthmus-gateway", namespace: "isthmus-system" },
  spec: { ports: [{ name: "ingress", port: 15_008, nodePort: 31_508 }], ...spec },
  status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
});

const node = (name: string, addresses: Record<string, string>, ready = "True"): Node => ({
  metadata: { name },
  status: {
    addresses: Object.entries(addresses).map(([type, address]) => ({ type, address })),
    conditions: [{ type: "Ready", status: ready }],
  },
});

const pod = (name: string, nodeName: string, ready = "True", phase = "Running"): Pod => ({
  metadata: { name },
  spec: { nodeName },
  status: { phase, conditions: [{ type: "Ready", status: ready }] },
});

const hostPort: GatewayDeployment = {
  metadata: { name: "isthmus-gateway" },
  spec: {
    template: {
      spec: {
        containers: [
          { ports: [{ containerPort: 15_020 }, { containerPort: 15_008, hostPort: 15_008 }] },
        ],
      },
    },
  },
};

function locate(objects: Partial<GatewayObjects>) {
  const all: GatewayObjects = {
    service: service({ type: "NodePort" }),
    deployment: undefined,
    pods: [],
    nodes: [
      node("a", { Hostname: "a", InternalIP: "10.0.0.1" }),
      node("b", { InternalIP: "10.0.0.2", ExternalIP: "192.0.2.2" }),
      node("c", { InternalIP: "10.0.0.3" }, "False"),
    ],
    ...objects,
  };
  return locateGateway(all, "west");
}

describe("where a provider's gateway is reached", () => {
  test("a load balancer's addresses are told, and a Link follows the Service itself", () => {
    const found = locate({ service: service({ type: "LoadBalancer" }, ["192.0.2.9"]) });
    expect(found).toEqual({ by: "loadBalancer", addresses: ["192.0.2.9"], port: 15_008 });
    expect(endpointForLink(found)).toEqual({});
  });

  test("a load balancer's address that is still awaited is none of the nodes'", () => {
    const found = locate({ service: service({ type: "LoadBalancer" }) });
    expect(found).toEqual({ by: "loadBalancer", addresses: [], port: 15_008 });
  });

  test("a node port is reached at every Ready node, at its external address if it has one", () => {
    const found = locate({});
    expect(found).toEqual({ by: "nodePort", addresses: ["10.0.0.1", "192.0.2.2"], port: 31_508 });
    expect(endpointForLink(found)).toEqual({ addresses: ["10.0.0.1", "192.0.2.2"], port: 31_508 });
  });

  test("nodes with a ready gateway pod come first, and alone where traffic stays local", () => {
    const pods = [pod("p1", "b"), pod("p2", "a", "False", "Failed")];
    expect(locate({ pods }).addresses).toEqual(["192.0.2.2", "10.0.0.1"]);
    const local = service({ type: "NodePort", externalTrafficPolicy: "Local" });
    expect(locate({ service: local, pods }).addresses).toEqual(["192.0.2.2"]);
  });

  test.each(["LoadBalancer", "ClusterIP", "NodePort"])(
    "a host port is reached at the nodes of the gateway pods, whatever the Service (%s) is",
    (type) => {
      const pods = [pod("p1", "b"), pod("p2", "c")];
      const found = locate({ service: service({ type }), deployment: hostPort, pods });
      expect(found).toEqual({ by: "hostPort", addresses: ["192.0.2.2"], port: 15_008 });
    },
  );

  test("names no more addresses than a Link may have", () => {
    const nodes = Array.from({ length: 40 }, (_, index) =>
      node(`n${index}`, { InternalIP: `10.0.1.${index}` }),
    );
    expect(locate({ nodes }).addresses).toHaveLength(16);
  });

  test("a Service that leads nowhere from outside is refused", () => {
    expect(() => locate({ service: service({ type: "ClusterIP" }) })).toThrow(
      /isthmus-system\/isthmus-gateway is of type ClusterIP/,
    );
  });

  test("without a Ready node there is no address to name", () => {
    expect(() => locate({ nodes: [] })).toThrow(/no Ready node that leads to it has an address/);
    expect(() => locate({ nodes: [], deployment: hostPort })).toThrow(/no gateway pod runs/);
  });
});
