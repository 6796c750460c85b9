import type { ClientHttp2Stream } from "node:http2";
import type { ConnectionOptions } from "node:tls";
import { isDeepStrictEqual } from "node:util";
import type { Random } from "../../api/clock.ts";
import { peerServerName } from "../../api/names.ts";
import type { Logger } from "../../kube/logger.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { isVouchedFor } from "../../pki/certificate.ts";
import { clientTlsOptions } from "../../pki/tls.ts";
import type { Bound } from "../limits/bound-reports.ts";
import type { GatewayLimits } from "../limits/limits.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { SessionPool } from "../session/session-pool.ts";
import type { SessionTimes } from "../session/session-times.ts";
import { GatewayNames, type GatewayNamesOptions } from "./gateway-names.ts";
import { type Gate, decideGate } from "./link-gate.ts";
import { type Liveness, UNKNOWN_LIVENESS, decideLiveness } from "./link-liveness.ts";
import type { LinkTarget } from "./plan.ts";

export interface EgressLinkOptions {
  name: string;
  clusterName: string;
  sessionsPerAddress: number;
  times: (probe: LinkTarget["probe"]) => SessionTimes;
  /** A session is replaced after about this long, in ms. */
  maxAgeMs: number;
  names: GatewayNamesOptions;
  limits: GatewayLimits;
  /** A remote gateway went beyond a bound. */
  onBound: (bound: Bound) => void;
  nowMs: () => number;
  random: Random;
  logger: Logger;
  metrics: GatewayMetrics;
  /** The gate may have changed by itself, by its sessions. */
  onGate: () => void;
}

/** One link in the egress: its sessions, and whether it lets connections through. */
export class EgressLink {
  readonly #options: EgressLinkOptions;
  readonly #logger: Logger;
  readonly #pool: SessionPool;
  readonly #names: GatewayNames;
  #target: LinkTarget;
  #leaf: CertificateAndKey;
  #liveness: Liveness = UNKNOWN_LIVENESS;
  #gate: Gate | undefined;
  #destroyed = false;

  constructor(target: LinkTarget, leaf: CertificateAndKey, options: EgressLinkOptions) {
    this.#options = options;
    this.#target = target;
    this.#leaf = leaf;
    this.#logger = options.logger.child({ link: options.name });
    this.#pool = new SessionPool({
      ...options,
      link: options.name,
      tls: () => this.#tls(),
      times: () => options.times(this.#target.probe),
      logger: this.#logger,
      onChange: () => this.#evaluate(),
    });
    this.#names = new GatewayNames({
      ...options,
      logger: this.#logger,
      isUp: () => this.#liveness.up,
      onChange: () => this.#follow(this.#target),
    });
    this.#follow(target);
  }

  /** Whether it was tried to reach the remote gateway, by each of its addresses. */
  get tried(): boolean {
    return this.#liveness.up || (!this.#names.pending && this.#pool.tried);
  }

  /** Whether its own sessions are up, and whether its Link is Ready: new connections need both. */
  get gate(): Gate {
    return this.#gate ?? decideGate(this.#liveness.up, this.#target.admission);
  }

  /** Opens a CONNECT stream; rejects with a StreamRefusedError. */
  open(authority: string, signal: AbortSignal): Promise<ClientHttp2Stream> {
    return this.#pool.open(authority, signal);
  }

  /**
   * Follows a change of the link or of the leaf. Sessions whose remote is not
   * trusted any more end at once; the others are replaced without a gap. A
   * Link that is no longer Ready closes the gate to new connections only:
   * those that are open live on, for as long as their session does.
   */
  update(target: LinkTarget, leaf: CertificateAndKey): void {
    const before = this.#target;
    const trustChanged =
      before.identity !== target.identity || before.bundlePem !== target.bundlePem;
    const leafChanged =
      leaf.certificatePem !== this.#leaf.certificatePem ||
      leaf.privateKeyPem !== this.#leaf.privateKeyPem;
    const timesChanged = !isDeepStrictEqual(before.probe, target.probe);
    this.#target = target;
    this.#leaf = leaf;
    if (trustChanged) this.#pool.distrust((certificatePem) => this.#trusts(certificatePem));
    if (trustChanged || leafChanged || timesChanged) this.#pool.renew();
    this.#follow(target);
  }

  destroy(): void {
    this.#destroyed = true;
    this.#names.stop();
    this.#pool.destroy();
    const { metrics, name } = this.#options;
    metrics.linkUp.remove({ link: name });
    metrics.linkAdmitted.remove({ link: name });
  }

  #follow({ addresses }: LinkTarget): void {
    this.#names.set(addresses);
    const known = this.#names.addresses;
    // Names given in place of others have no addresses yet: those from before stay.
    if (known.length > 0) this.#pool.setAddresses(known);
    this.#decide();
  }

  #tls(): ConnectionOptions {
    return clientTlsOptions({
      leaf: this.#leaf,
      bundlePem: this.#target.bundlePem,
      identity: this.#target.identity,
      serverName: peerServerName(this.#options.clusterName),
    });
  }

  #trusts(certificatePem: string): boolean {
    const { bundlePem, identity } = this.#target;
    return isVouchedFor({ certificatePem, bundlePem, identity });
  }

  #evaluate(): void {
    if (this.#destroyed) return;
    const { up } = this.#liveness;
    this.#liveness = decideLiveness(this.#liveness, this.#pool.slots, {
      ...this.#target.probe,
      nowMs: this.#options.nowMs(),
    });
    if (this.#liveness.up === up) return;
    this.#decide();
    this.#options.onGate();
  }

  /** One line of log for each transition, with its cause. */
  #decide(): void {
    const { name, metrics } = this.#options;
    const { admission } = this.#target;
    const previous = this.#gate;
    const failure = this.#pool.lastFailure ?? this.#names.failure;
    const gate = decideGate(this.#liveness.up, admission, failure);
    this.#gate = gate;
    metrics.linkUp.set({ link: name }, this.#liveness.up ? 1 : 0);
    metrics.linkAdmitted.set({ link: name }, admission.admitted ? 1 : 0);
    if (previous?.open === gate.open && previous.cause === gate.cause) return;
    const { cause, message } = gate;
    this.#logger.info(
      { open: gate.open, cause, message, up: this.#liveness.up, admitted: admission.admitted },
      gate.open ? "link open" : "link closed",
    );
  }
}
