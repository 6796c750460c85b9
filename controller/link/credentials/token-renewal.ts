import { errorMessage } from "../../../api/errors.ts";
import { CONTROLLER_FIELD_MANAGER, INSTALL_NAMESPACE } from "../../../api/names.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { Startable } from "../../../api/startable.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import { requestToken } from "../../../kube/client/request-token.ts";
import type { ReconcileContext, Result } from "../../../kube/reconciler/reconciler.ts";
import type { LinkMetrics } from "../../metrics.ts";
import { credentialsSecretKeyOf, holdsKubeconfig, kubeconfigPatch } from "./credentials.ts";
import { createLinkLoop, type LinkLoopOptions } from "../link-loop.ts";
import { referenceOf } from "../link-status/status-writer.ts";
import { lifetimeSeconds, readToken, TokenAges, tokenOf, withToken } from "./token.ts";

export interface TokenRenewalOptions extends LinkLoopOptions {
  metrics: LinkMetrics;
  /** Time that nobody sets, in ms. */
  monotonicMs: () => number;
}

/** A look this often finds what no event tells: a session that came to be since. */
const LOOK_PERIOD_MS = 30_000;
const MIN_RETRY_MS = 1_000;
/** Of the time that a token has left, what passes at most until a failed renewal is tried again. */
const RETRY_SHARE = 0.1;

/**
 * Renews the tokens of link credentials before they expire, each with itself
 * (TokenRequest), and writes them back to their Secrets. A Secret without such
 * a token is left alone.
 */
export function createTokenRenewal(options: TokenRenewalOptions): Startable {
  const ages = new TokenAges(options);
  return createLinkLoop(options, {
    name: "token-renewal",
    reconcile: async ({ key }, context) => await renew(options, ages, key, context),
    concerns: (secretKey, link) => credentialsSecretKeyOf(link) === secretKey,
  });
}

async function renew(
  options: TokenRenewalOptions,
  ages: TokenAges,
  linkName: string,
  context: ReconcileContext,
): Promise<Result> {
  const { links, secrets, watcher, clock, random, events, metrics } = options;
  const link = links.store.get(`${INSTALL_NAMESPACE}/${linkName}`);
  const secretKey = link && credentialsSecretKeyOf(link);
  const secret = secretKey === undefined ? undefined : secrets.store.get(secretKey);
  const running = watcher(linkName);
  if (link === undefined || secret === undefined) return {};
  const text = running?.kubeconfigText;
  const token = text === undefined ? undefined : tokenOf(text);
  const info = token === undefined ? undefined : readToken(token, clock.nowMs());
  if (
    running?.session === undefined ||
    text === undefined ||
    token === undefined ||
    info === undefined
  ) {
    return { requeueAfterMs: LOOK_PERIOD_MS };
  }
  const { ageMs, dueInMs } = ages.judge(linkName, token, info, clock.nowMs());
  const leftMs = info.expiresAtMs - info.issuedAtMs - ageMs;
  metrics.tokenExpiry.set({ link: linkName }, (clock.nowMs() + leftMs) / 1000);
  // A series that begins with its first event would hide that from increase().
  for (const result of ["renewed", "failed"])
    metrics.tokenRenewals.inc({ link: linkName, result }, 0);
  if (dueInMs > 0) return { requeueAfterMs: Math.min(dueInMs, LOOK_PERIOD_MS) };
  // A Secret changed by hand meanwhile is not ours to overwrite.
  if (!holdsKubeconfig(secret, text)) return { requeueAfterMs: MIN_RETRY_MS };

  const { session } = running;
  try {
    const account = { namespace: info.namespace, name: info.serviceAccount };
    const fresh = await requestToken(options.fence(session.client), account, {
      lifetimeSeconds: lifetimeSeconds(info),
      signal: context.signal,
    });
    const renewed = withToken(text, fresh);
    if (renewed === undefined) return { requeueAfterMs: LOOK_PERIOD_MS };
    const { namespace = INSTALL_NAMESPACE, name } = secret.metadata;
    await options.client.patch(
      RESOURCES.secrets,
      { namespace, name },
      kubeconfigPatch(secret, renewed),
      { type: "merge", fieldManager: CONTROLLER_FIELD_MANAGER, signal: context.signal },
    );
    ages.received(linkName, fresh);
  } catch (error) {
    if (context.signal.aborted) throw error;
    // Someone wrote the Secret meanwhile: what they wrote counts, and may have taken over already.
    if (isApiError(error, 409) || running.session !== session) {
      return { requeueAfterMs: MIN_RETRY_MS };
    }
    metrics.tokenRenewals.inc({ link: linkName, result: "failed" });
    const note = `The token of ServiceAccount ${info.namespace}/${info.serviceAccount}, which expires at ${new Date(info.expiresAtMs).toISOString()}, could not be renewed and is tried again: ${errorMessage(error)}`;
    context.logger.warn({ reason: REASONS.TokenRenewalFailed }, note);
    events.record(referenceOf(link), {
      type: "Warning",
      reason: REASONS.TokenRenewalFailed,
      action: "RenewToken",
      note,
    });
    // The queue's own delays grow beyond the life of a short token.
    const retryMs = Math.max(MIN_RETRY_MS, Math.min(leftMs * RETRY_SHARE, LOOK_PERIOD_MS));
    return { requeueAfterMs: retryMs * (0.5 + 0.5 * random()) };
  }
  metrics.tokenRenewals.inc({ link: linkName, result: "renewed" });
  context.logger.info({ serviceAccount: info.serviceAccount }, "link token renewed");
  events.record(referenceOf(link), {
    type: "Normal",
    reason: REASONS.TokenRenewed,
    action: "RenewToken",
    note: `Renewed the token of ServiceAccount ${info.namespace}/${info.serviceAccount}.`,
  });
  return { requeueAfterMs: LOOK_PERIOD_MS };
}
