import type { JoinAnswer, JoinRefusal, JoinRefusalReason } from "../../api/join-token.ts";

/** What a try came to. */
export type JoinOutcome = { readonly answer: JoinAnswer } | { readonly refusal: JoinRefusal };

/** The refusal of a try. */
export function refused(
  reason: JoinRefusalReason,
  message: string,
  { isUsedUp = false } = {},
): { readonly refusal: JoinRefusal } {
  return { refusal: { reason, message, isUsedUp } };
}
