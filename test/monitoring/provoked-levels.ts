import type { Change } from "./rules.ts";

/** What stands for every range of the alerts. */
export const RANGE_SECONDS = 8;

/**
 * What a test of a minute cannot reach on a bed: these alerts are given another level, so that they
 * fire with the real series in their ordinary state. What they do at their own levels is in the
 * cases for promtool.
 */
export const LEVELS_MOVED: Readonly<Record<string, Change>> = {
  IsthmusLinkTokenExpiring: ["10 * 60", "86400"],
  IsthmusLinkTrustExpiring: ["7 * 86400", "7000 * 86400"],
  IsthmusCertificateExpiring: ["4 * 3600", "48 * 3600"],
  IsthmusAuthorityExpiring: ["30 * 86400", "7000 * 86400"],
  IsthmusEgressPortsNearlyExhausted: ["0.9 * 19998", "0"],
  IsthmusGatewaySaturated: ["> 0.9", "> 0"],
  IsthmusReflectorSilent: ["5 * 60", "1"],
};

/** Faults that a minute has room for once or twice where the alert asks for more of them. */
export const COUNTS_LOWERED: Readonly<Record<string, Change>> = {
  // What flaps or fails is damped: it is soon further apart than the range.
  IsthmusLinkFlapping: [`[${RANGE_SECONDS}s])\n) > 5`, "[120s])\n) > 0"],
  IsthmusReconcileErrors: [`[${RANGE_SECONDS}s])\n) > 3`, "[120s])\n) > 0"],
  // A container takes seconds to be started anew.
  IsthmusRestarting: [`[${RANGE_SECONDS}s]) > 2`, "[60s]) > 0"],
  IsthmusClientsRefused: ["> 30", "> 3"],
  IsthmusRotationStuck: ["> 130", "> 5"],
};
