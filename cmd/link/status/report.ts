import type { Condition } from "../../../api/conditions.ts";
import type { NotRead } from "../not-read.ts";

/** A Link as the object itself has it. */
export interface LinkReport {
  readonly name: string;
  readonly cluster: string;
  readonly ready: Condition["status"];
  readonly reason: string;
  readonly message: string;
  readonly mirrored: number;
  readonly skipped: number;
  readonly gateway: readonly string[];
  readonly createdAt: string;
  readonly conditions: readonly Condition[];
}

/** A Link with what the cluster has of it besides. Times are RFC 3339; what is not known is undefined, and absent in JSON. */
export interface LinkDetails extends LinkReport {
  /** Of the mirrors, as they say themselves. */
  readonly open: number;
  readonly closed: number;
  /** Median of the controller's good probes of the gateway since it leads, in ms. */
  readonly latencyMs: number | undefined;
  readonly addresses: readonly AddressReport[];
  /** When the token of its credentials expires. */
  readonly tokenExpiresAt: string | undefined;
  /** When the last CA in its trust bundle expires. */
  readonly trustExpiresAt: string | undefined;
}

/** An address of the remote gateway, as the controller's probes find it. */
export interface AddressReport {
  /** `host:port`. */
  readonly address: string;
  readonly up: boolean;
  readonly latencyMs: number | undefined;
}

/** A mirror as it says itself. */
export interface MirrorReport {
  readonly link: string;
  /** `cluster/namespace/name` of the Service it stands for. */
  readonly source: string;
  /** `namespace/name` here. */
  readonly mirror: string;
  readonly state: string;
  readonly reason: string;
  readonly message: string;
}

/** An exported Service that has no mirror here, and why. */
export interface SkippedService {
  readonly link: string;
  /** `cluster/namespace/name`; empty when the Event does not say. */
  readonly source: string;
  readonly reason: string;
  readonly message: string;
  readonly lastSeenAt: string;
}

/** A certificate of this cluster's own: `authority`, `authority-next` or `leaf`. */
export interface CertificateReport {
  readonly name: string;
  readonly expiresAt: string;
}

/** Everything `link status` knows of one cluster. */
export interface StatusReport {
  /** This cluster's name among its peers; empty before it is installed. */
  readonly cluster: string;
  readonly links: readonly LinkDetails[];
  readonly mirrors: readonly MirrorReport[];
  readonly skipped: readonly SkippedService[];
  /** Consumers that may call this cluster's gateway. */
  readonly peers: readonly { readonly name: string; readonly createdAt: string }[];
  readonly certificates: readonly CertificateReport[];
  /** What this report would say and does not, since it could not be read. */
  readonly notRead: readonly NotRead[];
}
