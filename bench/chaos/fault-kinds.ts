/** What a fault acts on: one provider, one exported Service of one provider, or the consumer. */
export type TargetKind = "provider" | "service" | "consumer";

/** What is known of a kind of fault before it happens: the planner and the oracle go by this alone. */
export interface FaultKind {
  readonly on: TargetKind;
  /** How long it lasts, at least and at most, in ms. */
  readonly holdMs: readonly [number, number];
  /** Whose requests may fail at all: those to nobody's, to the Service's, to the provider's, or to all mirrors. */
  readonly disturbs: "none" | "service" | "provider" | "all";
  /**
   * The detection bound: for how long after its begin an attempt may fail in another way than by a refusal or a reset
   * within a second. The reason stands beside each.
   */
  readonly detectionMs: number;
  /** Every packet that is lost is a fault of its own: the bound holds for each attempt while it lasts. */
  readonly lasting?: true;
  /** The leading controller has to mend it: without one the bound begins once another leads. */
  readonly mendedByLeader?: true;
  /** Nobody leads from its begin on, for {@link TAKEOVER_MS} at most. */
  readonly leaderless?: true;
  /** Within this time after its end the disturbed are answered again. */
  readonly recoveryMs: number;
  /**
   * Processes of its cluster that end with a failure because of it: killed while it lasts, or by themselves, having
   * lost the Lease, up to the recovery.
   */
  readonly ends?: {
    readonly component: "controller" | "gateway";
    readonly by: "kill" | "leaseLoss";
  };
}

/** A Lease lasts 15 s; the other replica asks for it every few seconds. */
export const TAKEOVER_MS = 20_000;

/** 3 s without a byte end a session (gateway/session/session-times.ts), and a bit for the machine of two cores. */
const SESSION_DEATH_MS = 4000;
/** Clients give up after this time; far beyond every bound, so that what hangs is seen to hang. */
export const CALL_TIMEOUT_MS = 10_000;
/** What ends a connection at once, on a busy machine. */
const AT_ONCE_MS = 1000;
/** Until kube-proxy has applied a change, which it does once a second. */
const PROXY_MS = 2000;

export const FAULT_KINDS = {
  // Of the provider's gateway.
  gatewayKilled: {
    on: "provider",
    holdMs: [1000, 5000],
    disturbs: "provider",
    // The kernel resets what the killed processes had; a session that was just being set up meets its connect timeout.
    detectionMs: SESSION_DEATH_MS,
    recoveryMs: 20_000,
    ends: { component: "gateway", by: "kill" },
  },
  gatewayPaused: {
    on: "provider",
    holdMs: [3000, 12_000],
    disturbs: "provider",
    detectionMs: SESSION_DEATH_MS,
    recoveryMs: 20_000,
  },
  blackHole: {
    on: "provider",
    holdMs: [3000, 12_000],
    disturbs: "provider",
    detectionMs: SESSION_DEATH_MS,
    recoveryMs: 20_000,
  },
  packetLoss: {
    on: "provider",
    holdMs: [5000, 12_000],
    disturbs: "provider",
    detectionMs: SESSION_DEATH_MS,
    lasting: true,
    recoveryMs: 20_000,
  },
  narrowPath: {
    on: "provider",
    holdMs: [5000, 12_000],
    disturbs: "provider",
    detectionMs: SESSION_DEATH_MS,
    lasting: true,
    recoveryMs: 20_000,
  },
  // Of the provider's API and of what the link knows it by: far within spec.apiStalenessSeconds.
  apiPaused: {
    on: "provider",
    holdMs: [3000, 15_000],
    disturbs: "none",
    detectionMs: 0,
    recoveryMs: 15_000,
    ends: { component: "controller", by: "leaseLoss" },
  },
  apiRestarted: {
    on: "provider",
    holdMs: [0, 3000],
    disturbs: "none",
    detectionMs: 0,
    recoveryMs: 15_000,
    ends: { component: "controller", by: "leaseLoss" },
  },
  tokenRotated: { on: "provider", holdMs: [0, 0], disturbs: "none", detectionMs: 0, recoveryMs: 0 },
  credentialsRevoked: {
    on: "provider",
    holdMs: [3000, 8000],
    disturbs: "provider",
    detectionMs: AT_ONCE_MS,
    recoveryMs: 20_000,
  },
  leafRenewed: { on: "provider", holdMs: [0, 0], disturbs: "none", detectionMs: 0, recoveryMs: 0 },
  // Of the consumer.
  ownLeafRenewed: {
    on: "consumer",
    holdMs: [0, 0],
    disturbs: "none",
    detectionMs: 0,
    recoveryMs: 0,
  },
  leaderKilled: {
    on: "consumer",
    holdMs: [500, 3000],
    disturbs: "none",
    detectionMs: 0,
    leaderless: true,
    recoveryMs: 30_000,
    ends: { component: "controller", by: "kill" },
  },
  leaderPaused: {
    on: "consumer",
    holdMs: [5000, 20_000],
    disturbs: "none",
    detectionMs: 0,
    leaderless: true,
    recoveryMs: 30_000,
    ends: { component: "controller", by: "leaseLoss" },
  },
  egressKilled: {
    on: "consumer",
    holdMs: [1000, 3000],
    disturbs: "all",
    detectionMs: PROXY_MS,
    recoveryMs: 15_000,
    ends: { component: "gateway", by: "kill" },
  },
  proxyRestarted: {
    on: "consumer",
    holdMs: [500, 2000],
    disturbs: "none",
    detectionMs: 0,
    recoveryMs: 5000,
  },
  // Of one exported Service.
  unexported: {
    on: "service",
    holdMs: [2000, 6000],
    disturbs: "service",
    // The name and the rules of kube-proxy do not go at the same moment.
    detectionMs: PROXY_MS,
    recoveryMs: 30_000,
  },
  scaledToZero: {
    on: "service",
    holdMs: [2000, 6000],
    disturbs: "service",
    // A pod that is gone from the network before its endpoint is: the ingress gives it some time.
    detectionMs: PROXY_MS,
    recoveryMs: 25_000,
  },
  handEdited: {
    on: "service",
    holdMs: [0, 0],
    disturbs: "service",
    // Emptied slices: kube-proxy refuses by ICMP, which Linux limits, so that clients hang (docs/adr/0008).
    detectionMs: PROXY_MS,
    mendedByLeader: true,
    recoveryMs: 30_000,
  },
  mirrorDeleted: {
    on: "service",
    holdMs: [0, 0],
    disturbs: "service",
    // Clients that resolved the name before call an address that is no Service's any more.
    detectionMs: PROXY_MS,
    mendedByLeader: true,
    recoveryMs: 30_000,
  },
  nameTaken: {
    on: "service",
    holdMs: [2000, 6000],
    disturbs: "service",
    // The name is somebody else's Service without endpoints, which kube-proxy refuses by ICMP as above: not ours to judge.
    detectionMs: CALL_TIMEOUT_MS,
    lasting: true,
    recoveryMs: 30_000,
  },
} as const satisfies Record<string, FaultKind>;

/** Name of a kind of fault. */
export type FaultName = keyof typeof FAULT_KINDS;

/** What is known of that kind. */
export function faultKind(name: FaultName): FaultKind {
  return FAULT_KINDS[name];
}

/** Names of all kinds. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Object.keys forgets what it was given
export const FAULT_NAMES = Object.keys(FAULT_KINDS) as FaultName[];
