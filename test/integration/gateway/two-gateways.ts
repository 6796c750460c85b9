import { type DestinationStream, pino } from "pino";
import { Registry } from "prom-client";
import { onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../../api/clock.ts";
import type { Link, LinkSpec } from "../../../api/link.ts";
import type { Verdict } from "../../../api/conditions.ts";
import { REASONS } from "../../../api/reasons.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  LABELS,
  MANAGED_BY,
  gatewayIdentity,
} from "../../../api/names.ts";
import type { EndpointSlice, Service } from "../../../api/objects.ts";
import { Egress, type EgressOptions, type EgressState } from "../../../gateway/egress/egress.ts";
import type { ForbidsTarget } from "../../../gateway/ingress/forbidden-addresses.ts";
import { EndpointIndex } from "../../../gateway/ingress/endpoint-index.ts";
import { Ingress, type IngressOptions } from "../../../gateway/ingress/ingress.ts";
import { DEFAULT_GATEWAY_LIMITS, type GatewayLimits } from "../../../gateway/limits/limits.ts";
import { declareGatewayMetrics } from "../../../gateway/metrics.ts";
import { type SessionTimes, sessionTimesOf } from "../../../gateway/session/session-times.ts";
import { eventually } from "../fixtures.ts";
import { type Identity, peerOf } from "./identities.ts";
import { freeEgressPort } from "./loopback.ts";

/** Gateways of both sides in this process, over real TLS on loopback, without any API server. */

export { type Identity, createIdentity, peerOf, renewedLeaf } from "./identities.ts";

const logger = pino({ level: process.env["GATEWAY_TEST_LOG"] ?? "silent" });

export interface ProviderOptions {
  /** Loopback when absent; every address only in a namespace of the test's own. */
  host?: string;
  /** Of loopback; a free one when absent. */
  port?: number;
  limits?: Partial<GatewayLimits>;
  clock?: Clock;
  unexportGraceMs?: number;
  /** Which endpoints are never dialled; none when absent, for those of these tests are on loopback. */
  forbids?: ForbidsTarget;
  /** Exchanges join tokens; none are taken when absent. */
  exchange?: IngressOptions["exchange"];
  /** Where its log goes, a line at a time, from debug on; nowhere when absent. */
  log?: DestinationStream;
}

/** A provider's gateway with the Services and endpoints that a test gives it. */
export class Provider {
  readonly identity: Identity;
  readonly ingress: Ingress;
  readonly registry = new Registry();
  readonly #metrics = declareGatewayMetrics(this.registry);
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #endpoints = new EndpointIndex(this.#slices);

  constructor(identity: Identity, options: ProviderOptions = {}) {
    const { host = "127.0.0.1", port = 0, limits = {}, clock = systemClock } = options;
    const { unexportGraceMs, forbids = () => false, exchange, log } = options;
    this.identity = identity;
    this.ingress = new Ingress({
      clusterName: identity.name,
      port,
      host,
      view: {
        services: this.#services,
        endpoints: this.#endpoints,
        forbids,
      },
      limits: { ...DEFAULT_GATEWAY_LIMITS, ...limits },
      unexportGraceMs,
      ...(exchange !== undefined && { exchange }),
      clock,
      random: Math.random,
      logger: log === undefined ? logger : pino({ level: "debug" }, log),
      metrics: this.#metrics,
    });
    this.ingress.setLeaf(identity.leaf);
  }

  /** Exports `shop/name` port 80, served by these ports of loopback. */
  export(name: string, backends: readonly number[], annotations: Record<string, string> = {}) {
    this.#services.set(`shop/${name}`, {
      metadata: {
        namespace: "shop",
        name,
        annotations: { [ANNOTATIONS.export]: "true", ...annotations },
      },
      spec: {
        type: "ClusterIP",
        clusterIP: "10.0.0.1",
        ports: [
          { name: "http", port: 80 },
          { name: "admin", port: 81 },
        ],
      },
    });
    for (const [index, port] of backends.entries()) {
      this.addEndpoints(name, index, ["127.0.0.1"], port);
    }
    this.ingress.reviewExport(`shop/${name}`);
  }

  /** Adds an EndpointSlice of `shop/name`, for port `http`. */
  addEndpoints(name: string, index: number, addresses: readonly string[], port: number): void {
    const slice: EndpointSlice = {
      metadata: {
        namespace: "shop",
        name: `${name}-${index}`,
        labels: { [LABELS.serviceName]: name },
      },
      addressType: "IPv4",
      endpoints: addresses.map((address) => ({ addresses: [address] })),
      ports: [{ name: "http", port, protocol: "TCP" }],
    };
    this.#slices.set(`shop/${name}-${index}`, slice);
    this.#endpoints.add(`shop/${name}-${index}`, slice);
  }

  /** Sessions accepted so far. */
  async accepted(): Promise<number> {
    const { values } = await this.#metrics.ingressAccepted.get();
    return values.reduce((sum, { value }) => sum + value, 0);
  }

  unexport(name: string): void {
    this.#services.delete(`shop/${name}`);
    this.ingress.reviewExport(`shop/${name}`);
  }

  get port(): number {
    return this.ingress.port;
  }
}

/** A provider's gateway that trusts these consumers, ended with the test. */
export async function startProvider(
  identity: Identity,
  consumers: readonly Identity[],
  options?: ProviderOptions,
): Promise<Provider> {
  const provider = new Provider(identity, options);
  onTestFinished(() => provider.ingress.destroy());
  provider.ingress.setPeers(consumers.map(peerOf));
  await provider.ingress.start();
  return provider;
}

/** Condition Ready of a link that the controller found good, and of one that it did not. */
const READY: Verdict = { type: "Ready", status: "True", reason: REASONS.LinkReady, message: "ok" };
export const NOT_READY: Verdict = {
  type: "Ready",
  status: "False",
  reason: REASONS.CredentialsRejected,
  message: "the provider answered 401",
};

export interface ConsumerOptions extends Pick<
  EgressOptions,
  "sessionsPerAddress" | "sessionMaxAgeMs" | "names"
> {
  times?: Partial<SessionTimes>;
  limits?: Partial<GatewayLimits>;
  /** Where its log goes, a line at a time, from `logLevel` (info) on; nowhere when absent. */
  log?: DestinationStream;
  logLevel?: "info" | "debug";
}

/** A consumer's gateway, and the objects it acts on. */
export class Consumer {
  readonly identity: Identity;
  readonly egress: Egress;
  readonly registry = new Registry();
  readonly metrics = declareGatewayMetrics(this.registry);
  readonly state: {
    links: Map<string, Link>;
    mirrors: Map<string, Service>;
    leaf: EgressState["leaf"];
  };

  constructor(identity: Identity, options: ConsumerOptions = {}) {
    this.identity = identity;
    this.state = { links: new Map(), mirrors: new Map(), leaf: identity.leaf };
    this.egress = new Egress({
      clusterName: identity.name,
      host: "127.0.0.1",
      times: (probe) => ({ ...sessionTimesOf(probe), ...options.times }),
      sessionsPerAddress: options.sessionsPerAddress ?? 2,
      limits: { ...DEFAULT_GATEWAY_LIMITS, ...options.limits },
      ...(options.sessionMaxAgeMs !== undefined && { sessionMaxAgeMs: options.sessionMaxAgeMs }),
      ...(options.names !== undefined && { names: options.names }),
      nowMs: Date.now,
      random: Math.random,
      logger:
        options.log === undefined
          ? logger
          : pino({ level: options.logLevel ?? "info" }, options.log),
      metrics: this.metrics,
    });
  }

  update(): void {
    const { links, mirrors, leaf } = this.state;
    this.egress.update({ links: [...links.values()], mirrors: [...mirrors.values()], leaf });
  }

  /** Links to a provider at these ports of loopback (`addresses`: of other hosts); Ready unless `ready` says why not. */
  link(
    provider: Identity,
    port: number,
    options: {
      addresses?: string[];
      bundlePem?: string;
      probe?: Partial<LinkSpec["probe"]>;
      ready?: Verdict;
    } = {},
  ): void {
    const { addresses = ["127.0.0.1"], ready = READY } = options;
    const bundlePem = options.bundlePem ?? provider.ca.certificatePem;
    this.state.links.set(provider.name, {
      metadata: { name: provider.name },
      spec: {
        credentialsSecretRef: { name: "unused" },
        gateway: { addresses, port, identity: gatewayIdentity(provider.name) },
        trustBundle: bundlePem,
        probe: { successThreshold: 1, ...options.probe },
      },
      status: { conditions: [{ ...ready, lastTransitionTime: "2026-01-01T00:00:00Z" }] },
    });
    this.update();
  }

  /** Mirrors port 80 of a provider's `shop/name`; returns the port it is reached at here. */
  async mirror(provider: string, name: string, change: (mirror: Service) => void = () => {}) {
    const port = await freeEgressPort();
    const mirror: Service = {
      metadata: {
        namespace: "shop",
        name: `${name}-${provider}`,
        creationTimestamp: "2026-01-01T00:00:00Z",
        labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: provider },
        annotations: {
          [ANNOTATIONS.source]: `${provider}/shop/${name}`,
          [ANNOTATIONS.state]: "open",
        },
        managedFields: [{ manager: CONTROLLER_FIELD_MANAGER }],
      },
      spec: { ports: [{ name: "http", port: 80, targetPort: port }] },
    };
    change(mirror);
    this.state.mirrors.set(`shop/${name}-${provider}`, mirror);
    this.update();
    return port;
  }

  async untilOpen(port: number): Promise<void> {
    await eventually(
      () => {
        if (!this.egress.openPorts.includes(port)) throw new Error(this.seen());
      },
      { describe: `port ${port} is open` },
    );
  }

  async untilClosed(port: number): Promise<void> {
    await eventually(
      () => {
        if (this.egress.openPorts.includes(port)) throw new Error(this.seen());
      },
      { describe: `port ${port} is closed` },
    );
  }

  seen(): string {
    return `open ports ${this.egress.openPorts.join(", ") || "none"}`;
  }
}

/** A consumer's gateway, ended with the test. */
export function startConsumer(identity: Identity, options?: ConsumerOptions): Consumer {
  const consumer = new Consumer(identity, options);
  onTestFinished(() => consumer.egress.destroy());
  return consumer;
}
