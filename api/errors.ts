/**
 * An error that no retry mends: only a person can, by changing an object.
 * `reason` is a CamelCase constant of `reasons.ts`; the message names the
 * object, the field and the fix.
 */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The message of anything thrown, without its stack. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
