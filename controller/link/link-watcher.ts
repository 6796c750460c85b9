import type { KubeConfig } from "@kubernetes/client-node";
import type { Clock, Random } from "../../api/clock.ts";
import { clusterNameOf, type Link, type LinkSpec, type LinkStatus } from "../../api/link.ts";
import type { Secret } from "../../api/objects.ts";
import type { Logger } from "../../kube/logger.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import type { LinkMetrics } from "../metrics.ts";
import { GatewayProber } from "./gateway-probe/gateway-prober.ts";
import { type GatewayTarget, resolveGateway } from "./gateway-target.ts";
import type { HealthInputs } from "./health/health-inputs.ts";
import { NO_OPENINGS, type Openings, recordOpening } from "./health/reopening.ts";
import { readRecord, type RecordedState } from "./recorded-state.ts";
import { LinkSessions } from "./remote-session/link-sessions.ts";
import { type ProviderTimeouts, RemoteSession } from "./remote-session/remote-session.ts";
import { judgeCertificates, type OwnLeaf } from "./trust-following/trust-input.ts";

export interface LinkWatcherOptions {
  link: Link;
  spec: LinkSpec;
  ownCluster: string;
  /** The only namespaces that mirrors may be in; undefined: all. */
  namespaces?: readonly string[] | undefined;
  /** How long the provider is waited for; the session's own times when absent. */
  providerTimeouts?: ProviderTimeouts | undefined;
  clock: Clock;
  random: Random;
  logger: Logger;
  kubeMetrics: KubeMetrics;
  metrics: LinkMetrics;
  /** Whether this replica leads at this moment. */
  leading: () => boolean;
  onServiceChanged: (key: string) => void;
  onChanged: () => void;
  onSwapped: () => void;
}

/** What one link's decision is made from. */
export interface LinkObservation {
  readonly inputs: HealthInputs;
  readonly target: GatewayTarget;
}

/** Everything that runs for one link: the session with the provider's API, and the probes. */
export class LinkWatcher {
  readonly #options: LinkWatcherOptions;
  readonly #sessions: LinkSessions;
  readonly #prober: GatewayProber;
  readonly #recorded: RecordedState;
  #openings: Openings = NO_OPENINGS;
  #spec: LinkSpec;
  /** Where the gateway was last known to be. */
  #knownGateway: Pick<LinkStatus, "gatewayAddresses" | "gatewayPort">;
  readonly #closing = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: LinkWatcherOptions) {
    const { link, spec, clock, random, logger, metrics, onChanged } = options;
    this.#options = options;
    this.#spec = spec;
    this.#recorded = readRecord(link.status ?? {}, spec, clock.nowMs());
    this.#knownGateway = link.status ?? {};
    this.#sessions = new LinkSessions({
      nowMs: () => clock.nowMs(),
      open: (kubeconfig, mustSayWho) => this.#openSession(kubeconfig, mustSayWho),
      close: (session) => this.#closeSession(session),
      onSwapped: options.onSwapped,
      recordedHeardMs: this.#recorded.heardMs,
      recordedUnusableSinceMs: this.#recorded.unusableSinceMs,
    });
    this.#prober = new GatewayProber({
      linkName: link.metadata.name,
      clock,
      random,
      metrics,
      logger,
      onChanged,
    });
  }

  /** The session with the provider's API, if there are credentials for one. */
  get session(): RemoteSession | undefined {
    return this.#sessions.current;
  }

  /** The kubeconfig behind {@link session}. */
  get kubeconfigText(): string | undefined {
    return this.#sessions.currentText;
  }

  /** Takes over what the own cluster says and returns what is known of the link now. */
  observe(spec: LinkSpec, secret: Secret | undefined, own: OwnLeaf): LinkObservation {
    const { clock, ownCluster, leading } = this.#options;
    this.#spec = spec;
    this.#sessions.use(secret, spec.credentialsSecretRef.name);
    const nowMs = clock.nowMs();
    const trust = judgeCertificates(spec.trustBundle, own, nowMs);
    const target = resolveGateway(
      spec,
      this.session?.gatewayService ?? { kind: "unlisted" },
      this.#knownGateway,
    );
    if (target.kind === "resolved") {
      this.#knownGateway = { gatewayAddresses: [...target.addresses], gatewayPort: target.port };
    }
    this.#prober.update({
      addresses: target.kind === "resolved" ? target.addresses : [],
      port: target.kind === "resolved" ? target.port : 0,
      identity:
        own.leaf === undefined || trust.problem !== undefined
          ? undefined
          : {
              ownCluster,
              leaf: own.leaf,
              bundlePem: spec.trustBundle,
              identity: spec.gateway.identity,
            },
      settings: spec.probe,
    });
    const { credentials, api } = this.#sessions.inputs();
    return {
      target,
      inputs: {
        nowMs,
        leading: leading(),
        apiStalenessMs: spec.apiStalenessSeconds * 1000,
        credentials,
        api,
        trust,
        gateway: { target, addresses: this.#prober.addresses },
        recorded: this.#recorded.input,
        openings: this.#openings,
      },
    };
  }

  /** How the link opened and closed so far. */
  get openings(): Openings {
    return this.#openings;
  }

  /** Notes what was decided: a link that opens and falls over and over is held closed. */
  noteOpen(open: boolean, nowMs: number): void {
    this.#openings = recordOpening(this.#openings, open, nowMs);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#sessions.stop();
    await Promise.all([this.#prober.stop(), ...this.#closing]);
  }

  #openSession(kubeconfig: KubeConfig, mustSayWho: boolean): RemoteSession {
    const { link, namespaces, providerTimeouts, clock, random, logger, kubeMetrics } =
      this.#options;
    const session = new RemoteSession({
      namespaces,
      linkName: link.metadata.name,
      kubeconfig,
      apiStalenessMs: this.#spec.apiStalenessSeconds * 1000,
      expectedCluster: () => clusterNameOf(link, this.#spec),
      mustSayWho,
      timeouts: providerTimeouts,
      clock,
      random,
      logger,
      metrics: kubeMetrics,
      onServiceChanged: this.#options.onServiceChanged,
      onChanged: this.#options.onChanged,
    });
    void session.start(this.#stopping.signal);
    return session;
  }

  #closeSession(session: RemoteSession): void {
    const closing = session.stop().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
