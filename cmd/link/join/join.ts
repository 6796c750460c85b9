import type { Clock } from "../../../api/clock.ts";
import { linkServiceAccountName } from "../../../api/names.ts";
import { EXIT_CODES, toCliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Reporter } from "../reporter.ts";
import {
  credentialsObject,
  type GatewayEndpoint,
  linkKubeconfig,
  linkObject,
} from "./consumer-objects.ts";
import { Ledger } from "./ledger.ts";
import { waitForLink } from "./link-ready.ts";
import { requestLinkToken, TOKEN_LIFETIME_MS } from "./link-token.ts";
import { type Direction, type JoinPlan, planJoin } from "./preflight.ts";
import { providerObjects } from "./provider-objects.ts";

export interface JoinOptions {
  provider: ClusterAccess;
  consumer: ClusterAccess;
  /** Name of the Link; default: the provider's cluster name. */
  linkName?: string | undefined;
  /** URL by which the consumer's pods reach the provider's API; default: that of the context. */
  server?: string | undefined;
  gateway?: GatewayEndpoint | undefined;
  /** Lifetime of the credentials' tokens, of the first and of those it is renewed by; default: an hour. */
  tokenLifetimeMs?: number | undefined;
  /** Join the other way round as well. */
  mutual: boolean;
  /** With `mutual`: URL by which the provider's pods reach the consumer's API. */
  consumerServer?: string | undefined;
  /** Whether to wait until the Links are Ready. */
  wait: boolean;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

/** A Link that was made or updated. */
export interface JoinedLink {
  readonly linkName: string;
  readonly provider: string;
  readonly consumer: string;
  readonly updated: boolean;
}

/**
 * Links the consumer to the provider and waits until the Link is Ready. What a
 * failed or interrupted join has written is taken back; when an existing Link
 * was updated and is only not Ready, the update stays.
 * @throws CliError naming the object and the fix.
 */
export async function join(options: JoinOptions): Promise<JoinedLink[]> {
  const { reporter, signal } = options;
  reporter.progress("looking at both clusters");
  const plans: JoinPlan[] = [];
  for (const direction of directionsOf(options)) {
    plans.push(await planJoin(direction, reporter, signal));
  }
  const ledger = new Ledger();
  try {
    for (const plan of plans) await write(plan, ledger, options);
    if (options.wait) {
      for (const plan of plans) await waitForPlan(plan, options);
    }
  } catch (error) {
    const failure = toCliError(error, signal);
    const keep = failure.exitCode === EXIT_CODES.notReady && plans.every(({ update }) => update);
    if (keep) reporter.info("the Link existed before; what was updated stays");
    else await takeBack(ledger, options);
    throw failure;
  }
  reporter.next(
    `link export svc/NAME -n NAMESPACE --context ${options.provider.contextName}`,
    "Next, export a Service of the provider",
  );
  return plans.map(({ linkName, provider, consumer, update }) => ({
    linkName,
    provider: provider.clusterName,
    consumer: consumer.clusterName,
    updated: update,
  }));
}

function directionsOf(options: JoinOptions): Direction[] {
  const { provider, consumer, linkName, server, gateway = {} } = options;
  const there: Direction = {
    provider,
    consumer,
    linkName,
    server,
    gateway,
    serverFlag: "--server",
  };
  if (!options.mutual) return [there];
  const back: Direction = {
    provider: consumer,
    consumer: provider,
    server: options.consumerServer,
    gateway: {},
    serverFlag: "--consumer-server",
  };
  return [there, back];
}

async function write(plan: JoinPlan, ledger: Ledger, options: JoinOptions): Promise<void> {
  const { direction, provider, consumer, linkName, endpoint, update } = plan;
  const { reporter, signal } = options;
  reporter.progress(`joining ${consumer.clusterName} to ${provider.clusterName}`);
  for (const { resource, object } of providerObjects(consumer, provider)) {
    signal.throwIfAborted();
    await ledger.apply(direction.provider, resource, object, signal);
  }
  reporter.done(
    `${provider.clusterName}: account ${linkServiceAccountName(consumer.clusterName)} and Peer ${consumer.clusterName}`,
  );
  const token = await requestLinkToken(
    direction.provider,
    consumer.clusterName,
    options.tokenLifetimeMs ?? TOKEN_LIFETIME_MS,
    signal,
  );
  const kubeconfig = linkKubeconfig(provider.clusterName, endpoint, token);
  for (const { resource, object } of [
    credentialsObject(linkName, provider.clusterName, kubeconfig),
    linkObject(linkName, provider, plan.gateway),
  ]) {
    signal.throwIfAborted();
    await ledger.apply(direction.consumer, resource, object, signal);
  }
  reporter.done(
    `${consumer.clusterName}: credentials and Link ${linkName}${update ? ", which existed and is updated" : ""}`,
  );
}

async function waitForPlan({ direction, linkName }: JoinPlan, options: JoinOptions): Promise<void> {
  const { timeoutMs, reporter, clock, signal } = options;
  const access = direction.consumer;
  reporter.progress(`waiting for Link ${linkName}`);
  await waitForLink({ access, linkName, timeoutMs, reporter, clock, signal });
}

async function takeBack(ledger: Ledger, { reporter, clock }: JoinOptions): Promise<void> {
  const written = ledger.describe();
  if (written.length === 0) return;
  reporter.warn("the join did not succeed; it is taken back. It had:");
  for (const line of written) reporter.info(line);
  const complete = await ledger.undo(reporter, clock);
  if (complete) reporter.done("both clusters are as they were");
}
