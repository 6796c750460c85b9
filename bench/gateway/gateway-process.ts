import { readFileSync } from "node:fs";
import { setInterval } from "node:timers/promises";
import { Registry } from "prom-client";
import { systemClock } from "../../api/clock.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  LABELS,
  MANAGED_BY,
  gatewayIdentity,
} from "../../api/names.ts";
import type { EndpointSlice, Service } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";
import { Egress } from "../../gateway/egress/egress.ts";
import { EndpointIndex } from "../../gateway/ingress/endpoint-index.ts";
import { forbidTargets } from "../../gateway/ingress/forbidden-addresses.ts";
import { Ingress } from "../../gateway/ingress/ingress.ts";
import { declareGatewayMetrics } from "../../gateway/metrics.ts";
import { YoungGarbage } from "../../gateway/stream/young-garbage.ts";
import { createLogger } from "../../kube/logger.ts";
import { type EgressSettings, GATEWAY_READY, type IngressSettings } from "./gateway-settings.ts";

/*
 * One gateway of the bench as a process of its own: the product's classes with the product's settings, given their
 * objects by a file (its only argument) instead of by an API server.
 */

const NAMESPACE = "shop";
/** Port of every Service; only its target differs. */
const SERVICE_PORT = 80;

const { add: onCarried } = new YoungGarbage(() => globalThis.gc?.({ type: "minor" }));

const shared = {
  onCarried,
  random: Math.random,
  logger: createLogger({ name: "gateway" }),
  metrics: declareGatewayMetrics(new Registry()),
};

async function runIngress(settings: IngressSettings): Promise<void> {
  const { clusterName, leaf, host, port, peers } = settings;
  const services = new Map<string, Service>();
  const slices = new Map<string, EndpointSlice>();
  const endpoints = new EndpointIndex(slices);
  for (const { name, address, port: targetPort } of settings.services) {
    const key = `${NAMESPACE}/${name}`;
    services.set(key, {
      metadata: { namespace: NAMESPACE, name, annotations: { [ANNOTATIONS.export]: "true" } },
      spec: { type: "ClusterIP", clusterIP: "10.0.0.1", ports: [{ port: SERVICE_PORT }] },
    });
    const slice: EndpointSlice = {
      metadata: { namespace: NAMESPACE, name, labels: { [LABELS.serviceName]: name } },
      addressType: "IPv4",
      endpoints: [{ addresses: [address] }],
      ports: [{ port: targetPort, protocol: "TCP" }],
    };
    slices.set(key, slice);
    endpoints.add(key, slice);
  }
  const ingress = new Ingress({
    ...shared,
    clusterName,
    host,
    port,
    view: { services, endpoints, forbids: forbidTargets(() => false) },
    clock: systemClock,
  });
  ingress.setLeaf(leaf);
  ingress.setPeers(peers);
  await ingress.start();
}

async function runEgress(settings: EgressSettings): Promise<void> {
  const { clusterName, leaf, host, provider } = settings;
  const egress = new Egress({ ...shared, clusterName, host, nowMs: () => systemClock.nowMs() });
  const since = "2026-01-01T00:00:00Z";
  egress.update({
    leaf,
    links: [
      {
        metadata: { name: provider.name },
        spec: {
          credentialsSecretRef: { name: "unused" },
          gateway: {
            addresses: [provider.address],
            port: provider.port,
            identity: gatewayIdentity(provider.name),
          },
          trustBundle: provider.bundlePem,
        },
        status: {
          conditions: [
            {
              type: "Ready",
              status: "True",
              reason: REASONS.LinkReady,
              message: "",
              lastTransitionTime: since,
            },
          ],
        },
      },
    ],
    mirrors: settings.mirrors.map(({ name, port }) => mirrorOf(provider.name, name, port)),
  });
  for await (const _tick of setInterval(10)) {
    if (egress.openPorts.length === settings.mirrors.length) return;
  }
}

function mirrorOf(provider: string, name: string, port: number): Service {
  return {
    metadata: {
      namespace: NAMESPACE,
      name: `${name}-${provider}`,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: provider },
      annotations: {
        [ANNOTATIONS.source]: `${provider}/${NAMESPACE}/${name}`,
        [ANNOTATIONS.state]: "open",
      },
      managedFields: [{ manager: CONTROLLER_FIELD_MANAGER }],
    },
    spec: { ports: [{ port: SERVICE_PORT, targetPort: port }] },
  };
}

/** An end in order, so that a profile is written. */
process.once("SIGTERM", () => process.exit(0));

const settings: IngressSettings | EgressSettings = JSON.parse(
  readFileSync(process.argv[2] ?? "", "utf8"),
);
await (settings.role === "ingress" ? runIngress(settings) : runEgress(settings));
console.log(GATEWAY_READY);
