import type { Clock } from "../../../api/clock.ts";
import type { JoinAnswer, JoinToken } from "../../../api/join-token.ts";
import { CLI_FIELD_MANAGER } from "../../../api/names.ts";
import { apiVersionOf } from "../../../api/resources.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import { CliError, EXIT_CODES, toCliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { type ClusterIdentity, requireIdentity } from "../identity.ts";
import { credentialsObject, linkKubeconfig, linkObject } from "../join/consumer-objects.ts";
import { findMadeByLink, Ledger } from "../join/ledger.ts";
import { waitForLink } from "../join/link-ready.ts";
import { checkLinks } from "../join/preflight.ts";
import type { JoinObject } from "../join/provider-objects.ts";
import type { Reporter } from "../reporter.ts";
import { exchangeToken } from "./exchange-client.ts";

export interface RedeemOptions {
  /** The consumer. */
  access: ClusterAccess;
  token: JoinToken;
  /** Name of the Link; default: the provider's cluster name. */
  linkName?: string | undefined;
  /** Whether to wait until the Link is Ready. */
  wait: boolean;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Uses a join token: checks that this cluster may write what a join writes,
 * exchanges the token for credentials at the provider's gateway, and makes the
 * Link. What a failure after the exchange leaves here is taken back.
 * @throws CliError naming the object and the fix, and saying whether the token is used up.
 */
export async function redeemToken(options: RedeemOptions): Promise<void> {
  const { access, token, reporter, clock, signal } = options;
  const linkName = options.linkName ?? token.provider;
  reporter.progress("looking at this cluster");
  const { consumer, update } = await check(options, linkName);
  reporter.progress(`giving the token to the gateway of ${token.provider}`);
  const answer = await exchangeToken(token, consumer, { clock, signal });
  reporter.done(
    `${token.provider}: took the token, and has account and Peer ${token.consumer} for this cluster`,
  );
  const ledger = new Ledger();
  try {
    for (const { resource, object } of objectsOf(token, linkName, answer)) {
      signal.throwIfAborted();
      await ledger.apply(access, resource, object, signal);
    }
    reporter.done(
      `${token.consumer}: credentials and Link ${linkName}${update ? ", which existed and is updated" : ""}`,
    );
    if (options.wait) {
      reporter.progress(`waiting for Link ${linkName}`);
      await waitForLink({ ...options, linkName });
    }
  } catch (error) {
    const failure = toCliError(error, signal);
    if (failure.exitCode === EXIT_CODES.notReady && update) {
      reporter.info("the Link existed before; what was updated stays");
    } else {
      await takeBack(ledger, options);
    }
    throw failure;
  }
  reporter.next(
    `link export svc/NAME -n NAMESPACE --context ${token.provider}`,
    `Next, the administrator of ${token.provider} exports a Service`,
  );
}

/** Everything that can be checked before the token is used up. */
async function check(
  { access, token, clock, signal }: RedeemOptions,
  linkName: string,
): Promise<{ consumer: ClusterIdentity; update: boolean }> {
  if (clock.nowMs() >= Date.parse(token.expiresAt)) {
    throw new CliError(`the token expired at ${token.expiresAt}`, {
      fix: `ask the administrator of ${token.provider} for another: link token issue --consumer ${token.consumer}`,
    });
  }
  const consumer = await requireIdentity(access, signal);
  if (consumer.clusterName !== token.consumer) {
    throw new CliError(
      `the token is for cluster ${token.consumer}, and context ${access.contextName} is cluster ${consumer.clusterName}`,
      { fix: `choose the --context of ${token.consumer}; the token is not used up` },
    );
  }
  const update = await checkLinks(access, linkName, token.provider, signal);
  // Of the same size and form as what is written later; tried as a whole: rights, admission, schema.
  const likely = { apiServer: { url: "https://provider.invalid" }, token: "none", gateway: {} };
  try {
    for (const object of objectsOf(token, linkName, likely))
      await tryToWrite(access, object, signal);
  } catch (error) {
    const { message, fix, exitCode } = toCliError(error, signal);
    throw new CliError(`${message}; the token is not used up`, { fix, exitCode, cause: error });
  }
  return { consumer, update };
}

/** @throws CliError when somebody else's object is in the way, ApiError when the API server would refuse ours. */
async function tryToWrite(
  access: ClusterAccess,
  { resource, object }: JoinObject,
  signal: AbortSignal,
): Promise<void> {
  await findMadeByLink(access, resource, object, signal);
  await access.client.request({
    method: "PATCH",
    path: resourcePath(resource, object.metadata),
    query: { fieldManager: CLI_FIELD_MANAGER, force: true, dryRun: "All" },
    contentType: "application/apply-patch+yaml",
    body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object },
    signal,
  });
}

/** The Secret with the link's credentials, and the Link. */
function objectsOf(token: JoinToken, linkName: string, answer: JoinAnswer): JoinObject[] {
  const { provider, gateway, trustBundle } = token;
  const { url, caPem, tlsServerName } = answer.apiServer;
  const endpoint = { server: url, caPem, tlsServerName };
  const identity = {
    clusterName: provider,
    gatewayIdentity: gateway.identity,
    trustBundle,
  };
  return [
    credentialsObject(linkName, provider, linkKubeconfig(provider, endpoint, answer.token)),
    linkObject(linkName, identity, answer.gateway),
  ];
}

async function takeBack(ledger: Ledger, options: RedeemOptions): Promise<void> {
  const { token, reporter, clock } = options;
  reporter.warn("the join did not succeed; this cluster's side is taken back");
  const complete = await ledger.undo(reporter, clock);
  if (complete) reporter.done("this cluster is as it was");
  reporter.warn(
    `the token is used up; ${token.provider} still has account and Peer ${token.consumer}: its administrator issues another token, or removes them: link unjoin --peer ${token.consumer} --context ${token.provider}`,
  );
}
