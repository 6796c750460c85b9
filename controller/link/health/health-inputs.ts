import type { Verdict } from "../../../api/conditions.ts";
import type { GatewayTarget } from "../gateway-target.ts";
import type { ProbeHistory } from "../gateway-probe/probe-history.ts";
import type { Openings } from "./reopening.ts";

/** Something that is wrong, in words an operator can act on. */
export interface Problem {
  /** A constant of api/reasons.ts. */
  readonly reason: string;
  readonly message: string;
}

export type LastingProblem = Problem & { readonly sinceMs: number };

/** What is known of the credentials. */
export interface CredentialsInput {
  /** They are of no use any more, or lead elsewhere: no grace, whatever they still do. */
  readonly refused?: Problem | undefined;
  /** The Secret as it is now cannot be used, or what is new in it does not work; what was there before still may. */
  readonly unusable?: LastingProblem | undefined;
  /** The provider says no (401, 403) to the credentials in use. */
  readonly denial?: LastingProblem | undefined;
  /** The provider has accepted them. */
  readonly verified: boolean;
}

/** What is known of the provider's API. */
export interface ApiInput {
  /** Everything was listed in this process. */
  readonly synced: boolean;
  /**
   * When the API was last known to be heard; undefined when never. After a
   * restart with a Link recorded as open: when it was lost by that record,
   * or else when this process began.
   */
  readonly lastHeardMs: number | undefined;
  readonly failure?: Problem | undefined;
  /** Namespaces of the provider that it denies, while it lets others be read. */
  readonly deniedNamespaces?: readonly string[] | undefined;
}

/** What is known of certificates, before anyone was probed. */
export interface TrustInput {
  readonly problem?: Problem | undefined;
  /** When certificates that are good now run out, in epoch ms. */
  readonly validUntilMs?: number | undefined;
  /** When the last CA of the Link's bundle expires, in epoch ms; absent when the bundle cannot be read. */
  readonly bundleUntilMs?: number | undefined;
}

export interface AddressHealth {
  /** `address:port`. */
  readonly address: string;
  readonly history: ProbeHistory;
}

export interface GatewayInput {
  readonly target: GatewayTarget;
  readonly addresses: readonly AddressHealth[];
}

/** What the Link's status said when this process began. */
export interface RecordedInput {
  readonly verdicts: readonly Verdict[];
  readonly open: boolean;
  /** Until when it stands in for a gateway nobody has probed yet. */
  readonly gatewayUntilMs: number;
  /** Until when it stands in for an API nobody has heard yet. */
  readonly apiUntilMs: number;
}

/** Everything a link's health is decided on. */
export interface HealthInputs {
  readonly nowMs: number;
  /** Whether this replica may decide: one that lost its Lease may have slept through anything. */
  readonly leading: boolean;
  readonly apiStalenessMs: number;
  readonly credentials: CredentialsInput;
  readonly api: ApiInput;
  readonly trust: TrustInput;
  readonly gateway: GatewayInput;
  readonly recorded?: RecordedInput | undefined;
  /** How the link opened and closed so far. */
  readonly openings: Openings;
}
