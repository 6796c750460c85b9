import type { ClientHttp2Stream } from "node:http2";
import type { ConnectionOptions } from "node:tls";
import type { Random } from "../../api/clock.ts";
import { peerServerName } from "../../api/names.ts";
import type { Logger } from "../../kube/logger.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { verifyLeaf } from "../../pki/certificate.ts";
import { clientTlsOptions } from "../../pki/tls.ts";
import type { GatewayMetrics } from "../metrics.ts";
import type { SessionTimes } from "../session/peer-session.ts";
import { SessionPool } from "../session/session-pool.ts";
import { type Liveness, UNKNOWN_LIVENESS, decideLiveness } from "./link-liveness.ts";
import type { LinkTarget } from "./plan.ts";

export interface EgressLinkOptions {
  name: string;
  clusterName: string;
  sessionsPerAddress: number;
  times: SessionTimes;
  nowMs: () => number;
  random: Random;
  logger: Logger;
  metrics: GatewayMetrics;
  onUpOrDown: () => void;
}

/** One link in the egress: its sessions, and whether it is up. */
export class EgressLink {
  readonly #options: EgressLinkOptions;
  readonly #logger: Logger;
  readonly #pool: SessionPool;
  #target: LinkTarget;
  #leaf: CertificateAndKey;
  #liveness: Liveness = UNKNOWN_LIVENESS;
  #destroyed = false;

  constructor(target: LinkTarget, leaf: CertificateAndKey, options: EgressLinkOptions) {
    this.#options = options;
    this.#target = target;
    this.#leaf = leaf;
    this.#logger = options.logger.child({ link: options.name });
    options.metrics.linkUp.set({ link: options.name }, 0);
    this.#pool = new SessionPool({
      ...options,
      link: options.name,
      tls: () => this.#tls(),
      logger: this.#logger,
      onChange: () => this.#evaluate(),
    });
    this.#pool.setAddresses(target.addresses);
  }

  get up(): boolean {
    return this.#liveness.up;
  }

  /** Opens a CONNECT stream; rejects with a StreamRefusedError. */
  open(authority: string, signal: AbortSignal): Promise<ClientHttp2Stream> {
    return this.#pool.open(authority, signal);
  }

  /**
   * Follows a change of the link or of the leaf. Sessions whose remote is not
   * trusted any more end at once; the others are replaced without a gap.
   */
  update(target: LinkTarget, leaf: CertificateAndKey): void {
    const before = this.#target;
    const trustChanged =
      before.identity !== target.identity || before.bundlePem !== target.bundlePem;
    const leafChanged =
      leaf.certificatePem !== this.#leaf.certificatePem ||
      leaf.privateKeyPem !== this.#leaf.privateKeyPem;
    this.#target = target;
    this.#leaf = leaf;
    if (trustChanged) this.#pool.distrust((certificatePem) => this.#trusts(certificatePem));
    if (trustChanged || leafChanged) this.#pool.renew();
    this.#pool.setAddresses(target.addresses);
  }

  destroy(): void {
    this.#destroyed = true;
    this.#pool.destroy();
    this.#options.metrics.linkUp.remove({ link: this.#options.name });
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
    return verifyLeaf({ certificatePem, bundlePem, identity, nowMs: this.#options.nowMs() }).ok;
  }

  #evaluate(): void {
    if (this.#destroyed) return;
    const previous = this.#liveness;
    this.#liveness = decideLiveness(previous, this.#pool.slots, this.#target);
    if (this.#liveness.up === previous.up) return;
    const { name, metrics, onUpOrDown } = this.#options;
    metrics.linkUp.set({ link: name }, this.up ? 1 : 0);
    this.#logger.info({ up: this.up }, this.up ? "link up" : "link down");
    onUpOrDown();
  }
}
