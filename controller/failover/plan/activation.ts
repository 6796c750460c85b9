/** What active mode decides from. */
export interface ActivationInputs {
  /** Whether our endpoints were ready so far, some at least. */
  readonly activated: boolean;
  /** Whether an own endpoint of the Service is ready. */
  readonly ownReady: boolean;
  /** For how long that has been so, seen from here. */
  readonly forMs: number;
  readonly targetHealthy: boolean;
  readonly activateAfterMs: number;
  readonly failbackAfterMs: number;
  /** Endpoints that the target has: egress gateways. */
  readonly endpoints: number;
}

/** How many of our endpoints are to be ready. */
export interface Activation {
  /** The first so many of them. */
  readonly readyEndpoints: number;
  readonly recheckAfterMs?: number;
}

const NONE: Activation = { readyEndpoints: 0 };

/**
 * Active mode, for data planes that look at `ready` only: our endpoints are
 * made ready once the Service has had none of its own for `activateAfterMs`,
 * and taken back after it has had some for `failbackAfterMs`, one after another
 * so that its pods are not given all connections at once. A target that is not
 * healthy takes none, and leaves at once where others can.
 */
export function decideActivation(inputs: ActivationInputs): Activation {
  const { activated, ownReady, forMs, targetHealthy, endpoints } = inputs;
  if (!targetHealthy) return NONE;
  if (ownReady) return activated ? takenBack(inputs) : NONE;
  const waitMs = activated ? 0 : inputs.activateAfterMs - forMs;
  return waitMs > 0 ? { ...NONE, recheckAfterMs: waitMs } : { readyEndpoints: endpoints };
}

/** One endpoint after `failbackAfterMs`, then one each such part of it as there are endpoints. */
function takenBack({ forMs, failbackAfterMs, endpoints }: ActivationInputs): Activation {
  const stepMs = failbackAfterMs / Math.max(1, endpoints);
  const steps = stepMs === 0 ? endpoints : Math.floor((forMs - failbackAfterMs) / stepMs);
  const taken = forMs < failbackAfterMs ? 0 : 1 + steps;
  if (taken >= endpoints) return NONE;
  const recheckAfterMs = Math.max(1, Math.ceil(failbackAfterMs + taken * stepMs - forMs));
  return { readyEndpoints: endpoints - taken, recheckAfterMs };
}
