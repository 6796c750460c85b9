import type { Condition } from "../../../api/conditions.ts";

/** A Link as `link status` shows it. */
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

/** A mirror as `link status` shows it. */
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

/** Everything `link status` knows of one cluster. */
export interface StatusReport {
  /** This cluster's name among its peers; empty before it is installed. */
  readonly cluster: string;
  readonly links: readonly LinkReport[];
  readonly mirrors: readonly MirrorReport[];
  readonly skipped: readonly SkippedService[];
  /** Consumers that may call this cluster's gateway. */
  readonly peers: readonly { readonly name: string; readonly createdAt: string }[];
}
