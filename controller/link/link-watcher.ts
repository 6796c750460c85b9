import type { KubeConfig } from "@kubernetes/client-node";
import type { Clock, Random } from "../../api/clock.ts";
import type { Condition } from "../../api/conditions.ts";
import type { Link, LinkSpec, LinkStatus } from "../../api/link.ts";
import type { Secret } from "../../api/objects.ts";
import type { Logger } from "../../kube/logger.ts";
import type { KubeMetrics } from "../../kube/metrics.ts";
import type { LinkMetrics } from "../metrics.ts";
import { GatewayProber } from "./gateway-probe/gateway-prober.ts";
import { type GatewayTarget, resolveGateway } from "./gateway-target.ts";
import type { HealthInputs, RecordedInput } from "./health/health-inputs.ts";
import { LinkSessions } from "./remote-session/link-sessions.ts";
import { HEARTBEAT_PERIOD_MS, RemoteSession } from "./remote-session/remote-session.ts";
import { judgeCertificates, type OwnLeaf } from "./trust-following/trust-input.ts";

/** How long after a restart what was recorded stands in for a provider's API that has not answered. */
const API_HOLD_MS = 10_000;
/** Beyond its timeout: what the first probe of a process may take to get under way. */
const PROBE_HOLD_MARGIN_MS = 1_500;

export interface LinkWatcherOptions {
  link: Link;
  spec: LinkSpec;
  ownCluster: string;
  clock: Clock;
  random: Random;
  logger: Logger;
  kubeMetrics: KubeMetrics;
  metrics: LinkMetrics;
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
  readonly #recorded: RecordedInput | undefined;
  /** Where the gateway was last known to be. */
  #knownGateway: Pick<LinkStatus, "gatewayAddresses" | "gatewayPort">;
  readonly #closing = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: LinkWatcherOptions) {
    const { link, spec, clock, random, logger, metrics, onChanged } = options;
    this.#options = options;
    const nowMs = clock.nowMs();
    const conditions = link.status?.conditions ?? [];
    const open = isTrue(conditions, "Ready");
    this.#recorded =
      conditions.length === 0
        ? undefined
        : {
            verdicts: conditions,
            open,
            gatewayUntilMs: nowMs + spec.probe.timeoutSeconds * 1000 + PROBE_HOLD_MARGIN_MS,
            apiUntilMs: nowMs + API_HOLD_MS,
          };
    this.#knownGateway = link.status ?? {};
    this.#sessions = new LinkSessions({
      nowMs: () => clock.nowMs(),
      open: (kubeconfig) => this.#openSession(kubeconfig),
      close: (session) => this.#closeSession(session),
      onSwapped: options.onSwapped,
      // By the record the API was lost then; without one it counts from now on.
      recordedHeardMs: open ? (falseSinceMs(conditions, "ApiReachable") ?? nowMs) : undefined,
      recordedUnusableSinceMs: falseSinceMs(conditions, "CredentialsValid"),
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
    const { clock, ownCluster } = this.#options;
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
        apiStalenessMs: spec.apiStalenessSeconds * 1000,
        credentials,
        api,
        trust,
        gateway: { target, addresses: this.#prober.addresses },
        recorded: this.#recorded,
      },
    };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#sessions.stop();
    await Promise.all([this.#prober.stop(), ...this.#closing]);
  }

  #openSession(kubeconfig: KubeConfig): RemoteSession {
    const { link, spec, clock, random, logger, kubeMetrics } = this.#options;
    const session = new RemoteSession({
      linkName: link.metadata.name,
      kubeconfig,
      heartbeatPeriodMs: Math.min(HEARTBEAT_PERIOD_MS, (spec.apiStalenessSeconds * 1000) / 4),
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

function isTrue(conditions: readonly Condition[], type: Condition["type"]): boolean {
  return conditions.some((condition) => condition.type === type && condition.status === "True");
}

function falseSinceMs(
  conditions: readonly Condition[],
  type: Condition["type"],
): number | undefined {
  const condition = conditions.find((candidate) => candidate.type === type);
  if (condition?.status !== "False") return undefined;
  const sinceMs = Date.parse(condition.lastTransitionTime);
  return Number.isNaN(sinceMs) ? undefined : sinceMs;
}
