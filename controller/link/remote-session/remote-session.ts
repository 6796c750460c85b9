import { isDeepStrictEqual } from "node:util";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Clock, Random } from "../../../api/clock.ts";
import {
  GATEWAY_NAME,
  IDENTITY_CONFIG_MAP_NAME,
  IDENTITY_KEYS,
  INSTALL_NAMESPACE,
} from "../../../api/names.ts";
import { commonNamespaces } from "../../../api/namespace-list.ts";
import type { ConfigMap, KubeObject, Service } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import type { Startable } from "../../../api/startable.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import type { Logger } from "../../../kube/logger.ts";
import type { KubeMetrics } from "../../../kube/metrics.ts";
import { withTimeout } from "../../../kube/client/timeout-signal.ts";
import { classifyApiFailure } from "./api-failure.ts";
import {
  type SessionObservation,
  type StandingDenial,
  standingDenial,
  type TimedFailure,
  WATCH_INTERRUPTION_MS,
} from "./api-observation.ts";
import type { GatewayServiceView } from "../gateway-target.ts";
import type { Problem } from "../health/health-inputs.ts";
import type { RemoteView } from "../link-view.ts";
import { accountOf, OwnAccount } from "./own-account.ts";
import { publishedNamespaces, wrongCluster } from "./provider-identity.ts";
import { ProviderWatches } from "./provider-watches.ts";

const HEARTBEAT_PERIOD_MS = 3_000;
/** While it fails, the provider is asked more often, so that a link heals soon. */
const HEARTBEAT_RETRY_MS = 1_000;
/** A watch silent for longer is opened anew; bookmarks come every minute. */
const IDLE_DEADLINE_MS = 75_000;

/** How long a provider's API server is waited for, in milliseconds. */
export interface ProviderTimeouts {
  readonly heartbeatMs: number;
  /** Any other request, and each page of a list. */
  readonly requestMs: number;
}

const DEFAULT_TIMEOUTS: ProviderTimeouts = { heartbeatMs: 3_000, requestMs: 10_000 };

const NOT_BEGUN = { synced: false, lastByteAtMs: undefined, failure: undefined };

export interface RemoteSessionOptions {
  linkName: string;
  kubeconfig: KubeConfig;
  /** The only namespaces that mirrors may be in, so that no others are read; undefined: all. */
  namespaces?: readonly string[] | undefined;
  /** How long what was last heard counts: nothing is asked for less often. */
  apiStalenessMs: number;
  /** The cluster that is to be behind the kubeconfig, by the Link as it is now. */
  expectedCluster: () => string;
  /** Whether a cluster that does not say who it is, is not believed: the one before it did. */
  mustSayWho: boolean;
  /** 3 s for a heartbeat and 10 s for what else is asked when absent. */
  timeouts?: ProviderTimeouts | undefined;
  clock: Clock;
  random: Random;
  logger: Logger;
  metrics: KubeMetrics;
  /** An exported Service, or whether it has a ready endpoint, changed. */
  onServiceChanged: (key: string) => void;
  /** What the session has to say of itself changed. */
  onChanged: () => void;
}

/**
 * Everything one link does with the provider's API: a client, the watches of
 * what is exported, and a heartbeat that finds an API that is gone or a
 * credential that was revoked, which a watch alone would not show.
 */
export class RemoteSession implements Startable {
  readonly client: KubeClient;
  readonly #options: RemoteSessionOptions;
  readonly #account: OwnAccount | undefined;
  readonly #timeouts: ProviderTimeouts;
  readonly #idleDeadlineMs: number;
  readonly #stopping = new AbortController();
  /** Once it is known which namespaces the provider lets itself be read in. */
  #watches: ProviderWatches | undefined;
  #beating: Promise<void> | undefined;
  /** Between two heartbeats. */
  #pause = new AbortController();
  #answeredAtMs: number | undefined;
  #heartbeatFailure: TimedFailure | undefined;
  #denial: StandingDenial | undefined;
  #identity: ConfigMap | undefined;

  constructor(options: RemoteSessionOptions) {
    const { linkName, clock, random, logger, metrics } = options;
    this.#options = options;
    this.#timeouts = options.timeouts ?? DEFAULT_TIMEOUTS;
    this.#idleDeadlineMs = Math.min(IDLE_DEADLINE_MS, options.apiStalenessMs / 2);
    this.client = createKubeClient(options.kubeconfig, {
      userAgent: `isthmus-controller/${linkName}`,
      requestTimeoutMs: this.#timeouts.requestMs,
      clock,
      metrics,
    });
    const idleDeadlineMs = this.#idleDeadlineMs;
    const shared = { client: this.client, clock, random, logger, metrics, idleDeadlineMs };
    const { onChanged } = options;
    const account = accountOf(options.kubeconfig, clock.nowMs());
    this.#account = account && new OwnAccount(account, { ...shared, linkName, onChanged });
  }

  /** Whether everything was listed, and of the right cluster. */
  get synced(): boolean {
    return this.#identified && this.#watches?.synced === true;
  }

  /** The provider as the mirrors see it; undefined until it was listed once. */
  get view(): RemoteView | undefined {
    return this.synced ? this.#watches?.view : undefined;
  }

  /** Whether the provider lets itself be read in other namespaces by now: another session has to take over. */
  get outdated(): boolean {
    if (!this.#identified || this.#watches === undefined) return false;
    return !isDeepStrictEqual(this.#watches.namespaces, this.#namespaces);
  }

  get gatewayService(): GatewayServiceView {
    if (!this.#identified || this.#watches?.gatewayListed !== true) return { kind: "unlisted" };
    const service = this.#watches.gatewayService;
    return service === undefined ? { kind: "absent" } : { kind: "present", service };
  }

  /** What the provider publishes of itself, as of the last heartbeat that found it. */
  get identity(): ConfigMap | undefined {
    return this.#identity;
  }

  get observation(): SessionObservation {
    return {
      staleAfterMs: this.#idleDeadlineMs + WATCH_INTERRUPTION_MS,
      refused: this.#account?.revoked ?? this.#wrongCluster,
      answeredAtMs: this.#answeredAtMs,
      heartbeatFailure: this.#heartbeatFailure,
      denial: this.#denial,
      watches: this.#watches?.observations ?? [NOT_BEGUN],
      deniedNamespaces: this.#watches?.deniedNamespaces ?? [],
    };
  }

  async start(signal: AbortSignal): Promise<void> {
    const combined = AbortSignal.any([signal, this.#stopping.signal]);
    await this.#account?.start(combined);
    this.#beating = this.#beat(combined);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#account?.stop(), this.#beating]);
    await this.#watches?.stop();
    await this.client.close();
  }

  get #wrongCluster(): Problem | undefined {
    if (this.#answeredAtMs === undefined) return undefined;
    const { expectedCluster, mustSayWho } = this.#options;
    const claimed = this.#identity?.data?.[IDENTITY_KEYS.clusterName];
    return wrongCluster(claimed, { expected: expectedCluster(), mustSayWho }, this.client.server);
  }

  get #identified(): boolean {
    return this.#answeredAtMs !== undefined && this.#wrongCluster === undefined;
  }

  /** The namespaces to read, as far as the provider has said. */
  get #namespaces(): readonly string[] | undefined {
    return commonNamespaces(this.#options.namespaces, publishedNamespaces(this.#identity));
  }

  /**
   * Begins to watch after the first heartbeat: what may be watched is in what it
   * brings. When it fails everything is tried, and shows what else is wrong; the
   * session is then outdated once one succeeds.
   */
  async #watch(signal: AbortSignal): Promise<void> {
    if (this.#watches !== undefined) return;
    this.#watches = new ProviderWatches({
      ...this.#options,
      client: this.client,
      namespaces: this.#namespaces,
      idleDeadlineMs: this.#idleDeadlineMs,
      failureOf: (error, before) => this.#failed(error, before),
      onFailure: () => {
        // Whether only this watch broke or the whole API is lost shows at once.
        if (this.#heartbeatFailure === undefined) this.#pause.abort();
      },
    });
    await this.#watches.start(signal);
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const { clock, random, apiStalenessMs } = this.#options;
    const steadyMs = Math.min(HEARTBEAT_PERIOD_MS, apiStalenessMs / 4);
    signal.addEventListener("abort", () => this.#pause.abort(), { once: true });
    while (!signal.aborted) {
      await this.#beatOnce(signal);
      if (signal.aborted) return;
      await this.#watch(signal);
      const failing = this.#heartbeatFailure !== undefined;
      const periodMs = failing ? HEARTBEAT_RETRY_MS : steadyMs;
      this.#pause = new AbortController();
      // Woken early: see #watch.
      await clock.sleep(periodMs * (0.9 + 0.2 * random()), this.#pause.signal).catch(() => {});
    }
  }

  async #beatOnce(signal: AbortSignal): Promise<void> {
    const { clock, onChanged } = this.#options;
    const limit = withTimeout(signal, this.#timeouts.heartbeatMs);
    try {
      const [identity] = await Promise.all([
        this.#find<ConfigMap>(RESOURCES.configMaps, IDENTITY_CONFIG_MAP_NAME, limit.signal),
        // A watch goes on after the right to it is taken away: this asks for it again.
        this.#find<Service>(RESOURCES.services, GATEWAY_NAME, limit.signal),
      ]);
      // One that is gone for a moment is published again.
      this.#identity = identity ?? this.#identity;
      this.#answeredAtMs = clock.nowMs();
      this.#heartbeatFailure = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.#heartbeatFailure = this.#failed(error, this.#heartbeatFailure, limit.timedOut());
    } finally {
      limit.dispose();
    }
    this.#denial = standingDenial(this.#denial, this.#heartbeatFailure, clock.nowMs());
    onChanged();
  }

  async #find<T extends KubeObject>(
    resource: Resource,
    name: string,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    try {
      return await this.client.get<T>(resource, { namespace: INSTALL_NAMESPACE, name }, { signal });
    } catch (error) {
      // Whatever else answers 404, without a Status, is no API server.
      if (isApiError(error, 404) && error.body !== undefined) return undefined;
      throw error;
    }
  }

  #failed(error: unknown, before: TimedFailure | undefined, timedOut = false): TimedFailure {
    const { server } = this.client;
    const failure = classifyApiFailure(error, server, timedOut);
    // A denial begins when it is first heard, even where the API was lost before.
    const goesOn = before !== undefined && before.kind === failure.kind;
    return { ...failure, sinceMs: goesOn ? before.sinceMs : this.#options.clock.nowMs() };
  }
}
