import type { Clock, Random } from "../../../api/clock.ts";
import type { Logger } from "../../../kube/logger.ts";
import type { LinkMetrics } from "../../metrics.ts";
import { type GatewayIdentity, GatewayProbe } from "./gateway-probe.ts";
import type { AddressHealth } from "../health/health-inputs.ts";
import { NO_PROBES, type ProbeHistory, recordProbe } from "./probe-history.ts";
import { pauseAfterProbeMs, type ProbeSettings } from "./probe-schedule.ts";

/** What is to be probed; undefined identity or no addresses: nothing. */
export interface ProbePlan {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly identity: GatewayIdentity | undefined;
  readonly settings: ProbeSettings;
}

interface ProbedAddress {
  readonly probe: GatewayProbe;
  readonly stopping: AbortController;
  history: ProbeHistory;
}

/** Probes every gateway address of one link, each on its own schedule, the first time at once. */
export class GatewayProber {
  readonly #options: {
    linkName: string;
    clock: Clock;
    random: Random;
    metrics: LinkMetrics;
    logger: Logger;
    /** An address's state, or why it fails, changed. */
    onChanged: () => void;
  };
  readonly #probed = new Map<string, ProbedAddress>();
  readonly #running = new Set<Promise<void>>();
  #settings: ProbeSettings | undefined;
  #identity: GatewayIdentity | undefined;
  #stopped = false;

  constructor(options: {
    linkName: string;
    clock: Clock;
    random: Random;
    metrics: LinkMetrics;
    logger: Logger;
    onChanged: () => void;
  }) {
    this.#options = options;
  }

  /** Each address with what its probes amount to, in the order of the plan. */
  get addresses(): AddressHealth[] {
    return [...this.#probed].map(([address, { history }]) => ({ address, history }));
  }

  /** Takes the plan over: what stays keeps its history, and its session unless certificates changed. */
  update(plan: ProbePlan): void {
    if (this.#stopped) return;
    this.#settings = plan.settings;
    const { identity } = plan;
    const wanted =
      identity === undefined
        ? new Map<string, string>()
        : new Map(plan.addresses.map((host) => [label(host, plan.port), host]));
    for (const key of this.#probed.keys()) if (!wanted.has(key)) this.#end(key);
    if (identity === undefined) return;
    const identityChanged = !sameIdentity(this.#identity, identity);
    this.#identity = identity;
    for (const [key, host] of wanted) {
      const known = this.#probed.get(key);
      if (known === undefined) this.#begin(key, new GatewayProbe(host, plan.port, identity));
      else if (identityChanged) known.probe.setIdentity(identity);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const key of this.#probed.keys()) this.#end(key);
    await Promise.all(this.#running);
  }

  #begin(key: string, probe: GatewayProbe): void {
    const probed = { probe, stopping: new AbortController(), history: NO_PROBES };
    this.#probed.set(key, probed);
    const running = this.#run(key, probed).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #end(key: string): void {
    const probed = this.#probed.get(key);
    if (probed === undefined) return;
    probed.stopping.abort();
    probed.probe.close();
    this.#probed.delete(key);
    const { metrics, linkName } = this.#options;
    metrics.gatewayAddressUp.remove({ link: linkName, address: key });
    metrics.probeSeconds.remove({ link: linkName, address: key });
  }

  async #run(key: string, probed: ProbedAddress): Promise<void> {
    const { clock, random, logger } = this.#options;
    const { signal } = probed.stopping;
    while (!signal.aborted && this.#settings !== undefined) {
      const settings = this.#settings;
      const startedMs = performance.now();
      try {
        const result = await probed.probe.probe(settings.timeoutSeconds * 1000, signal);
        this.#record(key, probed, result, settings);
        const spentMs = performance.now() - startedMs;
        await clock.sleep(pauseAfterProbeMs(settings, spentMs, random), signal);
      } catch (error) {
        if (signal.aborted) return;
        // A mistake of ours must not end the probing of an address for good.
        logger.error({ err: error, address: key }, "probe failed unexpectedly");
        await clock.sleep(settings.periodSeconds * 1000, signal).catch(() => undefined);
      }
    }
  }

  #record(
    key: string,
    probed: ProbedAddress,
    result: Awaited<ReturnType<GatewayProbe["probe"]>>,
    settings: ProbeSettings,
  ): void {
    const { clock, metrics, linkName, onChanged } = this.#options;
    const before = probed.history;
    probed.history = recordProbe(before, result, settings, clock.nowMs());
    if (result.ok) {
      metrics.probeSeconds.observe({ link: linkName, address: key }, result.rttMs / 1000);
    }
    const outcome = result.ok ? "ok" : result.failure.reason;
    metrics.probes.inc({ link: linkName, result: outcome });
    const up = probed.history.state === "up" ? 1 : 0;
    metrics.gatewayAddressUp.set({ link: linkName, address: key }, up);
    const { state, failure } = probed.history;
    if (
      before.state !== state ||
      (state === "down" && before.failure?.message !== failure?.message)
    ) {
      onChanged();
    }
  }
}

/** `host:port`, with brackets around an IPv6 address. */
function label(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function sameIdentity(left: GatewayIdentity | undefined, right: GatewayIdentity): boolean {
  return (
    left?.ownCluster === right.ownCluster &&
    left.bundlePem === right.bundlePem &&
    left.identity === right.identity &&
    left.leaf.certificatePem === right.leaf.certificatePem &&
    left.leaf.privateKeyPem === right.leaf.privateKeyPem
  );
}
