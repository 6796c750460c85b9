import type { Admission } from "./plan.ts";

/** Whether a link lets new connections through, and what decided it. */
export interface Gate {
  readonly open: boolean;
  /** `NoSession`, or the reason of the Link's condition Ready. */
  readonly cause: string;
  readonly message: string;
}

/**
 * A link is open only while both know it to be good: this gateway by its own
 * sessions, and the controller by the Link's condition Ready. Either closes it
 * alone: sessions without a controller, and one write of the status without
 * any change of the mirrors. `lastFailure` is how a session ended last.
 */
export function decideGate(up: boolean, admission: Admission, lastFailure?: string): Gate {
  const { admitted, reason, message } = admission;
  if (!up) {
    return { open: false, cause: "NoSession", message: lastFailure ?? "no session was tried yet" };
  }
  return { open: admitted, cause: reason, message };
}
