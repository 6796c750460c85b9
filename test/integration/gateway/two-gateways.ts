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
  peerServerName,
} from "../../../api/names.ts";
import type { EndpointSlice, Service } from "../../../api/objects.ts";
import { Egress, type EgressState } from "../../../gateway/egress/egress.ts";
import { EndpointIndex } from "../../../gateway/ingress/endpoint-index.ts";
import { CONSUMER_PING_TIMES } from "../../../gateway/ingress/consumer-sessions.ts";
import {
  DEFAULT_INGRESS_LIMITS,
  Ingress,
  type IngressLimits,
} from "../../../gateway/ingress/ingress.ts";
import { declareGatewayMetrics } from "../../../gateway/metrics.ts";
import { type SessionTimes, sessionTimesOf } from "../../../gateway/session/session-times.ts";
import { type CertificateAndKey, createAuthority, issueLeaf } from "../../../pki/authority.ts";
import type { TrustedPeer } from "../../../pki/tls.ts";
import { eventually } from "../fixtures.ts";
import { freeEgressPort } from "./loopback.ts";

/** Gateways of both sides in this process, over real TLS on loopback, without any API server. */

/** What makes a cluster one to others: its name, its CA and its gateway's leaf. */
export interface Identity {
  readonly name: string;
  readonly ca: CertificateAndKey;
  readonly leaf: CertificateAndKey;
}

export async function createIdentity(name: string): Promise<Identity> {
  const ca = await createAuthority({ clusterName: name, nowMs: Date.now() });
  return { name, ca, leaf: await renewedLeaf({ name, ca }) };
}

export async function renewedLeaf({ name, ca }: Omit<Identity, "leaf">) {
  return await issueLeaf(ca, { identity: gatewayIdentity(name), nowMs: Date.now() });
}

/** The Peer by which a provider trusts a consumer. */
export function peerOf({ name, ca }: Identity): TrustedPeer {
  return {
    name,
    serverName: peerServerName(name),
    bundlePem: ca.certificatePem,
    identity: gatewayIdentity(name),
  };
}

const logger = pino({ level: process.env["GATEWAY_TEST_LOG"] ?? "silent" });

export interface ProviderOptions {
  /** Loopback when absent; every address only in a namespace of the test's own. */
  host?: string;
  /** Of loopback; a free one when absent. */
  port?: number;
  limits?: Partial<IngressLimits>;
  pingTimes?: { intervalMs: number; timeoutMs: number };
  clock?: Clock;
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
    const { host = "127.0.0.1", port = 0, limits = {}, pingTimes, clock = systemClock } = options;
    this.identity = identity;
    this.ingress = new Ingress({
      clusterName: identity.name,
      port,
      host,
      view: {
        services: this.#services,
        endpoints: this.#endpoints,
        // The endpoints of these tests are on loopback.
        forbids: () => false,
      },
      limits: { ...DEFAULT_INGRESS_LIMITS, ...limits },
      pingTimes: { ...CONSUMER_PING_TIMES, ...pingTimes },
      clock,
      random: Math.random,
      logger,
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
      const key = `shop/${name}-${index}`;
      const slice: EndpointSlice = {
        metadata: {
          namespace: "shop",
          name: `${name}-${index}`,
          labels: { [LABELS.serviceName]: name },
        },
        addressType: "IPv4",
        endpoints: [{ addresses: ["127.0.0.1"] }],
        ports: [{ name: "http", port, protocol: "TCP" }],
      };
      this.#slices.set(key, slice);
      this.#endpoints.add(key, slice);
    }
  }

  /** Sessions accepted so far. */
  async accepted(): Promise<number> {
    const { values } = await this.#metrics.ingressAccepted.get();
    return values.reduce((sum, { value }) => sum + value, 0);
  }

  unexport(name: string): void {
    this.#services.delete(`shop/${name}`);
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

export interface ConsumerOptions {
  times?: Partial<SessionTimes>;
  sessionsPerAddress?: number;
  /** Where its log goes, a line at a time; nowhere when absent. */
  log?: DestinationStream;
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
      nowMs: Date.now,
      random: Math.random,
      logger: options.log === undefined ? logger : pino({}, options.log),
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
