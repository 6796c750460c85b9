import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  CONTROLLER_HEALTH_PORT,
  EGRESS_PORT_MAX,
  EGRESS_PORT_MIN,
  GATEWAY_HEALTH_PORT,
  INGRESS_PORT,
} from "../../../api/names.ts";
import { renderManifests } from "./manifests.ts";

const rulesSchema = z.array(
  z.strictObject({
    from: z.array(z.strictObject({ namespaceSelector: z.strictObject({}) })).optional(),
    ports: z.array(
      z.strictObject({
        protocol: z.enum(["TCP", "UDP"]),
        port: z.int(),
        endPort: z.int().optional(),
      }),
    ),
  }),
);
const policySchema = z.object({
  kind: z.literal("NetworkPolicy"),
  metadata: z.object({ name: z.string() }),
  spec: z.strictObject({
    podSelector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    policyTypes: z.tuple([z.literal("Ingress"), z.literal("Egress")]),
    ingress: rulesSchema,
    egress: rulesSchema,
  }),
});

/** The one policy that selects the pods of a Deployment. */
async function policyOf(deployment: string) {
  const manifests = await renderManifests({ clusterName: "west", components: ["network-policy"] });
  const selecting = manifests
    .filter(({ resource }) => resource.kind === "NetworkPolicy")
    .map(({ object }) => policySchema.parse(object).spec)
    .filter(({ podSelector }) => podSelector.matchLabels["app.kubernetes.io/name"] === deployment);
  const [only, ...others] = selecting;
  if (only === undefined || others.length > 0) throw new Error(`${selecting.length} policies`);
  return only;
}

type Rules = z.infer<typeof rulesSchema>;

/** Who the rules let through to or from a port: anyone, pods of the cluster, or nobody. */
function allowed(rules: Rules, port: number, protocol: "TCP" | "UDP" = "TCP"): string {
  const matching = rules.filter(({ ports }) =>
    ports.some(
      (each) =>
        each.protocol === protocol && port >= each.port && port <= (each.endPort ?? each.port),
    ),
  );
  if (matching.some(({ from }) => from === undefined)) return "anyone";
  return matching.length > 0 ? "pods" : "nobody";
}

describe("component network-policy", () => {
  test.each([
    ["linked clusters", INGRESS_PORT, "anyone"],
    ["probes, metrics and link status", GATEWAY_HEALTH_PORT, "anyone"],
    ["clients of the first mirror", EGRESS_PORT_MIN, "pods"],
    ["clients of the last mirror", EGRESS_PORT_MAX, "pods"],
    ["a port below those of mirrors", EGRESS_PORT_MIN - 1, "nobody"],
    ["a port above those of mirrors", EGRESS_PORT_MAX + 1, "nobody"],
  ])("lets into the gateway %s", async (_who, port, expected) => {
    const { ingress } = await policyOf("isthmus-gateway");
    expect(allowed(ingress, port)).toBe(expected);
  });

  test.each([
    ["probes, metrics and link status", CONTROLLER_HEALTH_PORT, "anyone"],
    ["anything else", INGRESS_PORT, "nobody"],
  ])("lets into the controller %s", async (_who, port, expected) => {
    const { ingress } = await policyOf("isthmus-controller");
    expect(allowed(ingress, port)).toBe(expected);
  });

  test.each(["isthmus-controller", "isthmus-gateway"])(
    "lets %s reach API servers, gateways and endpoints wherever they are, and DNS",
    async (name) => {
      const { egress } = await policyOf(name);
      for (const port of [443, 6443, INGRESS_PORT, 80, 31_508]) {
        expect(allowed(egress, port)).toBe("anyone");
      }
      expect(allowed(egress, 53, "UDP")).toBe("anyone");
      expect(allowed(egress, 123, "UDP")).toBe("nobody");
    },
  );
});
