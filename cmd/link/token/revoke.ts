import type { Clock } from "../../../api/clock.ts";
import { CliError } from "../cli-error.ts";
import { didYouMean } from "../suggest.ts";
import { removeToken, storedTokens, tellGateways, type TokenContext } from "./pending-tokens.ts";

export interface RevokeOptions extends TokenContext {
  /** Cluster name of the consumer whose token it is. */
  consumer: string;
  clock: Clock;
}

/**
 * Makes a token that is pending worthless, and removes what was made for it.
 * A consumer that has joined with it stays joined.
 * @throws CliError when none is pending for that consumer.
 */
export async function revokeToken(options: RevokeOptions): Promise<void> {
  const { access, consumer, reporter, clock } = options;
  const stored = await storedTokens(options);
  const token = stored.find((candidate) => candidate.consumer === consumer);
  if (token === undefined) {
    const known = stored.map((candidate) => candidate.consumer);
    throw new CliError(`context ${access.contextName}: no join token is pending for ${consumer}`, {
      fix:
        didYouMean(consumer, known) ??
        `see those that are: link token list --context ${access.contextName}; if ${consumer} has joined with it: link unjoin --peer ${consumer} --context ${access.contextName}`,
    });
  }
  await removeToken(options, token);
  await tellGateways(options, clock.nowMs());
  reporter.done(`the token for ${consumer} is void`);
}
