import { TerminalError } from "../../../api/errors.ts";
import { holdsCertificate } from "../../../pki/trust.ts";

/** A provider's Peer for this cluster as it was last seen. */
interface SeenPeer {
  /** Undefined: there is none, so nothing there trusts us anyway. */
  readonly bundlePem: string | undefined;
  /** Our own bundle at that time. */
  readonly ownPem: string;
  readonly atMs: number;
}

/** What providers are known to trust of this cluster, by Link. Nothing is known after a restart. */
export class PeerBundles {
  readonly #seen = new Map<string, SeenPeer>();

  /** Records what the provider's Peer holds; `bundlePem` undefined: there is no Peer. */
  record(link: string, bundlePem: string | undefined, ownPem: string, atMs: number): void {
    this.#seen.set(link, { bundlePem, ownPem, atMs });
  }

  /** Whether the Peer has to be looked at: our bundle changed since, or the last look is `maxAgeMs` old. */
  isDue(link: string, ownPem: string, nowMs: number, maxAgeMs: number): boolean {
    const seen = this.#seen.get(link);
    // A clock that was set back makes no look appear recent.
    return seen?.ownPem !== ownPem || Math.abs(nowMs - seen.atMs) >= maxAgeMs;
  }

  /** Those of the Links whose provider is not known to trust this CA of ours. */
  lacking(links: readonly string[], certificatePem: string): string[] {
    return links.filter((link) => {
      const seen = this.#seen.get(link);
      if (seen === undefined) return true;
      return seen.bundlePem !== undefined && !holds(seen.bundlePem, certificatePem);
    });
  }

  /** Forgets all Links but these. */
  keepOnly(links: ReadonlySet<string>): void {
    for (const link of this.#seen.keys()) if (!links.has(link)) this.#seen.delete(link);
  }
}

/** A bundle that cannot be read vouches for nothing. */
function holds(bundlePem: string, certificatePem: string): boolean {
  try {
    return holdsCertificate(bundlePem, certificatePem);
  } catch (error) {
    if (error instanceof TerminalError) return false;
    throw error;
  }
}
