import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build as esbuild } from "esbuild";
import { BUNDLE_OPTIONS } from "../../cmd/build/bundle.ts";
import { peerOf } from "../../test/integration/gateway/identities.ts";
import type { Credentials } from "./credentials.ts";
import type { EgressSettings, IngressSettings } from "./gateway-settings.ts";
import { GATEWAY_READY } from "./gateway-settings.ts";
import { SERVER_PORTS, SERVICE_NAMES, type ServiceName, type Subject } from "./subject.ts";
import type { World } from "./world.ts";

/** Those of manifests/base/gateway.yaml. */
const NODE_FLAGS = ["--expose-gc"];
const EGRESS_BASE_PORT = 10_000;
const INGRESS_BASE_PORT = 15_100;
const PORTS_PER_PAIR = 10;

/** Bundles the bench's gateway process as the product's are, into the world's folder. */
export async function bundleGateway(folder: string): Promise<string> {
  const outfile = join(folder, "gateway.mjs");
  await esbuild({
    ...BUNDLE_OPTIONS,
    entryPoints: [join(import.meta.dirname, "gateway-process.ts")],
    outfile,
  });
  return outfile;
}

export interface IsthmusOptions {
  readonly name: string;
  /** Tells pairs of gateways apart by their ports. */
  readonly index: number;
  readonly bundle: string;
  /** Where CPU profiles go; none are taken when absent. */
  readonly profileFolder: string | undefined;
}

/** A pair of gateways, and where the second is reached by others than the first. */
export interface IsthmusSubject extends Subject {
  readonly ingressPort: number;
}

/** Starts two gateways, egress and ingress, and waits until the way through both is open. */
export async function startIsthmus(
  world: World,
  { consumer, neighbour, provider }: Credentials,
  { name, index, bundle, profileFolder }: IsthmusOptions,
): Promise<IsthmusSubject> {
  const ingressPort = INGRESS_BASE_PORT + index;
  const egressPort = (service: ServiceName) =>
    EGRESS_BASE_PORT + PORTS_PER_PAIR * index + SERVICE_NAMES.indexOf(service);
  const ingress: IngressSettings = {
    role: "ingress",
    clusterName: provider.name,
    leaf: provider.leaf,
    host: world.address("hop2"),
    port: ingressPort,
    peers: [peerOf(consumer), peerOf(neighbour)],
    services: SERVICE_NAMES.map((service) => ({
      name: service,
      address: world.address("server"),
      port: SERVER_PORTS[service],
    })),
  };
  const egress: EgressSettings = {
    role: "egress",
    clusterName: consumer.name,
    leaf: consumer.leaf,
    host: world.address("hop1"),
    provider: {
      name: provider.name,
      bundlePem: provider.ca.certificatePem,
      address: ingress.host,
      port: ingressPort,
    },
    mirrors: SERVICE_NAMES.map((service) => ({ name: service, port: egressPort(service) })),
  };
  const start = (place: "hop1" | "hop2", settings: EgressSettings | IngressSettings) => {
    const label = `${name}-${settings.role}`;
    const path = join(world.folder, `${label}.json`);
    writeFileSync(path, JSON.stringify(settings), { mode: 0o600 });
    const profiling =
      profileFolder === undefined
        ? []
        : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${label}.cpuprofile`];
    const argv = [process.execPath, ...NODE_FLAGS, ...profiling, bundle, path];
    return world.startAndAwait(label, place, argv, GATEWAY_READY);
  };
  const second = await start("hop2", ingress);
  const first = await start("hop1", egress);
  return {
    name,
    ingressPort,
    target: (service) => `${world.address("hop1")}:${egressPort(service)}`,
    hops: [first, second],
  };
}
