import { Registry } from "prom-client";
import {
  ANNOTATIONS,
  CONTROLLER_HEALTH_PORT,
  CONTROLLER_NAME,
  GATEWAY_HEALTH_PORT,
  GATEWAY_NAME,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../../api/names.ts";
import type { EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { declareLinkMetrics } from "../../../controller/metrics.ts";
import { declareGatewayMetrics } from "../../../gateway/metrics.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { declareKubeMetrics } from "../../../kube/metrics.ts";
import { createAuthority } from "../../../pki/authority.ts";
import { condition, inSystem } from "./join-bed.ts";
import type { ViewsStage } from "./views-stage.ts";

/** A namespace of this file's own. */
export const SHOP = "views-shop";
export const NORTH = "10.0.0.9:15008";
export const TOKEN_EXPIRES = "2030-01-01T00:00:00Z";

/** A Link to north that is not Ready, and a Peer. */
export async function putLinkAndPeer(stage: ViewsStage): Promise<void> {
  const { certificatePem: trustBundle } = await createAuthority({
    clusterName: "north",
    nowMs: Date.parse("2026-01-01T00:00:00Z"),
  });
  const identity = gatewayIdentity("north");
  const link: KubeObject & { spec: object } = {
    metadata: inSystem("north"),
    spec: { credentialsSecretRef: { name: "x" }, gateway: { identity }, trustBundle },
  };
  await stage.put(RESOURCES.links, link);
  await stage.putStatus(RESOURCES.links, inSystem("north"), {
    conditions: [
      condition("ApiReachable", "True", "Synced", ""),
      condition("GatewayHealthy", "False", "GatewayUnreachable", "10.0.0.9 \u001B[2Jrefuses"),
      condition("Ready", "False", "NotReady", "the gateway does not answer"),
    ],
    gatewayAddresses: ["10.0.0.9", "fd00::9"],
    gatewayPort: 15_008,
    mirroredServices: 2,
    skippedServices: 1,
  });
  const peer: KubeObject & { spec: object } = {
    metadata: inSystem("west"),
    spec: { trustBundle, identity: gatewayIdentity("west") },
  };
  await stage.put(RESOURCES.peers, peer);
}

/** What is exported, mirrored and skipped. */
export async function putServices(stage: ViewsStage): Promise<void> {
  const own = async (name: string, annotations: Record<string, string>, spec = {}) => {
    await stage.put<Service>(RESOURCES.services, {
      metadata: { namespace: SHOP, name, annotations },
      spec: { ports: [{ name: "http", port: 80 }], ...spec },
    });
  };
  await own("web", { [ANNOTATIONS.export]: "true" });
  await own("api", { [ANNOTATIONS.export]: "true", [ANNOTATIONS.exportTo]: "west,south" });
  await own("raw", { [ANNOTATIONS.export]: "true" }, { clusterIP: "None" });
  await own("private", {});
  await stage.put<EndpointSlice>(RESOURCES.endpointSlices, {
    metadata: { namespace: SHOP, name: "web-1", labels: { [LABELS.serviceName]: "web" } },
    addressType: "IPv4",
    endpoints: [
      { addresses: ["10.1.0.9"], conditions: { ready: true } },
      { addresses: ["10.1.0.8"], conditions: { ready: false } },
    ],
    ports: [],
  });
  await stage.putMirror(`north/${SHOP}/db`, "closed", "LinkNotReady", "Link north is not Ready");
  await stage.putMirror(`north/${SHOP}/mail`, "open", "MirrorOpen");
  for (const [name, note] of [
    ["skipped", `Service ${SHOP}/big of cluster north is not mirrored: its name is too long.`],
    // It has a mirror by now.
    ["history", `Service ${SHOP}/db of cluster north is not mirrored: its name was too long.`],
  ] as const) {
    await stage.put<KubeEvent>(RESOURCES.events, {
      metadata: { name: `views-${name}`, namespace: INSTALL_NAMESPACE },
      eventTime: "2026-01-01T00:00:00.000000Z",
      type: "Warning",
      reason: "NameInvalid",
      action: "Mirror",
      note,
      reportingController: "isthmus.dev/controller",
      reportingInstance: "test",
      regarding: { apiVersion: "isthmus.dev/v1alpha1", kind: "Link", ...inSystem("north") },
    });
  }
}

/** A controller that leads, a gateway that runs and one that does not yet. */
export async function putPods(stage: ViewsStage): Promise<void> {
  const registry = new Registry();
  declareKubeMetrics(registry).leader.set({ lease: "isthmus-controller" }, 1);
  const links = declareLinkMetrics(registry);
  links.gatewayAddressUp.set({ link: "north", address: NORTH }, 1);
  links.gatewayAddressUp.set({ link: "north", address: "[fd00::9]:15008" }, 0);
  for (let count = 0; count < 10; count += 1) {
    links.probeSeconds.observe({ link: "north", address: NORTH }, 0.004);
  }
  links.tokenExpiry.set({ link: "north" }, Date.parse(TOKEN_EXPIRES) / 1000);
  links.certificateExpiry.set({ certificate: "leaf" }, Date.parse(TOKEN_EXPIRES) / 1000);
  await stage.putPod("views-controller", CONTROLLER_NAME, {
    registry,
    port: CONTROLLER_HEALTH_PORT,
  });

  const gateway = new Registry();
  const metrics = declareGatewayMetrics(gateway);
  const address = { link: "north", address: NORTH };
  metrics.linkUp.set({ link: "north" }, 1);
  metrics.sessions.set({ ...address, state: "live" }, 2);
  metrics.sessions.set({ link: "north", address: "[fd00::9]:15008", state: "waiting" }, 2);
  metrics.pingSeconds.observe(address, 0.0008);
  metrics.addressStreams.set(address, 3);
  metrics.addressBytes.inc({ ...address, direction: "toRemote" }, 2048);
  metrics.addressBytes.inc({ ...address, direction: "toLocal" }, 3_000_000);
  metrics.ingressSessions.set({ consumer: "west" }, 4);
  metrics.activeStreams.set({ role: "ingress", link: "west" }, 7);
  metrics.bytes.inc({ role: "ingress", link: "west", direction: "toLocal" }, 10);
  metrics.leafNotAfter.set(Date.parse(TOKEN_EXPIRES) / 1000);
  await stage.putPod("views-gateway-0", GATEWAY_NAME, {
    registry: gateway,
    port: GATEWAY_HEALTH_PORT,
  });
  await stage.putPod("views-gateway-1", GATEWAY_NAME);
}
