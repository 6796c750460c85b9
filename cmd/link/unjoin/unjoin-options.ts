import type { Clock } from "../../../api/clock.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Reporter } from "../reporter.ts";

/** What `link unjoin` is asked to do, and with what. */
export interface UnjoinOptions {
  /** The consumer, which has the Link. */
  access: ClusterAccess;
  linkName: string;
  /** The provider, if it can be reached; else what is left there is told. */
  provider?: ClusterAccess | undefined;
  /** With `provider`: also removes its Link to this cluster, and what this cluster has for that. */
  mutual?: boolean | undefined;
  /** Removes the mirrors and the Link's finalizer here, for when no controller does. */
  force: boolean;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}
