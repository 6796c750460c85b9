import type { Clock } from "../../../api/clock.ts";
import {
  documentHashOf,
  JOIN_ID_BYTES,
  JOIN_SECRET_BYTES,
  JOIN_TOKEN_HEAD,
  type JoinToken,
  type PendingToken,
  secretHashOf,
} from "../../../api/join-token.ts";
import {
  gatewayIdentity,
  GATEWAY_NAME,
  INGRESS_PORT,
  INSTALL_NAMESPACE,
  linkServiceAccountName,
} from "../../../api/names.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError, EXIT_CODES, toCliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { type ClusterIdentity, requireIdentity } from "../identity.ts";
import { instant } from "../instant.ts";
import type { GatewayEndpoint } from "../join/consumer-objects.ts";
import { endpointForLink, findGateway } from "../join/gateway-endpoint.ts";
import { Ledger } from "../join/ledger.ts";
import { endpointOf } from "../join/preflight.ts";
import { type JoinObject, providerObjects } from "../join/provider-objects.ts";
import type { Reporter } from "../reporter.ts";
import { sweepTokens, tellGateways } from "./pending-tokens.ts";
import { tokenRights, tokenSecret } from "./token-objects.ts";

export interface IssueOptions {
  /** The provider. */
  access: ClusterAccess;
  /** Cluster name of the one consumer that may use the token. */
  consumer: string;
  uses: number;
  expiresMs: number;
  /** URL by which the consumer's pods reach the provider's API; default: that of the context. */
  server?: string | undefined;
  gateway: GatewayEndpoint;
  /** So many random bytes that nobody can guess. */
  randomBytes: (size: number) => Buffer;
  /** Keeps the token: when it throws, everything is taken back. */
  deliver: (token: JoinToken) => Promise<void>;
  /** Where the token is then, for the command that is given next. */
  fileName?: string | undefined;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Makes a token by which one consumer joins without its administrator having
 * access here: the consumer's account with its rights, and what the gateway
 * needs to exchange the token. One that is pending for that consumer is replaced.
 * @throws CliError naming the object and the fix; what was made is then taken back.
 */
export async function issueToken(options: IssueOptions): Promise<void> {
  const { access, consumer, reporter, clock, signal } = options;
  reporter.progress("looking at the cluster");
  const provider = await requireIdentity(access, signal);
  if (provider.clusterName === consumer) {
    throw new CliError(
      `context ${access.contextName} is cluster ${consumer} itself: a token is for another cluster`,
      { fix: "name the cluster that is to join with --consumer", exitCode: EXIT_CODES.usage },
    );
  }
  const endpoint = await endpointOf(
    { provider: access, server: options.server, serverFlag: "--server" },
    reporter,
    signal,
  );
  const { dialled, forLink } = await gatewayOf(options);
  const before = await sweepTokens(options, clock.nowMs());
  const replaced = before.find((token) => token.consumer === consumer);
  const token = createToken(options, { provider, dialled });
  const account = { namespace: INSTALL_NAMESPACE, name: linkServiceAccountName(consumer) };
  const hasAccount =
    (await access.client.find(RESOURCES.serviceAccounts, account, { signal })) !== undefined;
  const pending: PendingToken = {
    consumer,
    id: token.id,
    secretHash: secretHashOf(token.secret),
    documentHash: documentHashOf(token),
    expiresAt: token.expiresAt,
    uses: options.uses,
    usesLeft: options.uses,
    madeAccount: replaced?.pending?.madeAccount ?? !hasAccount,
    apiServer: {
      url: endpoint.server,
      ...(endpoint.caPem !== undefined && { caPem: endpoint.caPem }),
      ...(endpoint.tlsServerName !== undefined && { tlsServerName: endpoint.tlsServerName }),
    },
    gateway: forLink,
  };
  const ledger = new Ledger();
  try {
    await write(pending, provider, ledger, options);
    await tellGateways(options, clock.nowMs());
    signal.throwIfAborted();
    await options.deliver(token);
  } catch (error) {
    await takeBack(ledger, options);
    throw toCliError(error, signal);
  }
  if (replaced !== undefined) reporter.info(`the token that was pending for ${consumer} is void`);
  reporter.done(
    `a token for ${consumer}: ${options.uses === 1 ? "one use" : `${options.uses} uses`}, until ${instant(Date.parse(token.expiresAt))}`,
  );
  reporter.warn("the token is a secret: hand it over as you would a password");
  reporter.next(
    `link token redeem ${options.fileName ?? "FILE"} --context ${consumer}`,
    `Next, the administrator of ${consumer} gives it`,
  );
}

/** Where the token's holder dials the gateway, and what the Link is to say of it. */
async function gatewayOf({ access, gateway, signal }: IssueOptions) {
  const { addresses, port } = gateway;
  if (addresses !== undefined) {
    return {
      dialled: { addresses: [...addresses], port: port ?? INGRESS_PORT },
      forLink: { addresses: [...addresses], ...(port !== undefined && { port }) },
    };
  }
  const found = await findGateway(access, signal);
  if (found.addresses.length === 0) {
    throw new CliError(
      `context ${access.contextName}: Service ${INSTALL_NAMESPACE}/${GATEWAY_NAME} has no load balancer address yet, and a token has to name one`,
      { fix: "wait until it has one, or name one with --gateway-address" },
    );
  }
  const endpoint = { ...endpointForLink(found), ...(port !== undefined && { port }) };
  return {
    dialled: { addresses: [...found.addresses], port: port ?? found.port },
    forLink: {
      ...(endpoint.addresses !== undefined && { addresses: [...endpoint.addresses] }),
      ...(endpoint.port !== undefined && { port: endpoint.port }),
    },
  };
}

function createToken(
  { consumer, expiresMs, randomBytes, clock }: IssueOptions,
  {
    provider,
    dialled,
  }: {
    provider: ClusterIdentity;
    dialled: { addresses: string[]; port: number };
  },
): JoinToken {
  return {
    ...JOIN_TOKEN_HEAD,
    provider: provider.clusterName,
    consumer,
    id: randomBytes(JOIN_ID_BYTES).toString("base64url"),
    secret: randomBytes(JOIN_SECRET_BYTES).toString("base64url"),
    gateway: { ...dialled, identity: provider.gatewayIdentity },
    trustBundle: provider.trustBundle,
    expiresAt: new Date(clock.nowMs() + expiresMs).toISOString(),
  };
}

async function write(
  pending: PendingToken,
  provider: ClusterIdentity,
  ledger: Ledger,
  options: IssueOptions,
): Promise<void> {
  const { access, consumer, reporter, signal } = options;
  reporter.progress(`making the account of ${consumer}`);
  for (const { resource, object } of accountObjects(consumer, provider)) {
    signal.throwIfAborted();
    await ledger.apply(access, resource, object, signal);
  }
  signal.throwIfAborted();
  const secret = await ledger.apply(access, RESOURCES.secrets, tokenSecret(pending), signal);
  for (const { resource, object } of tokenRights(consumer, secret)) {
    signal.throwIfAborted();
    await ledger.apply(access, resource, object, signal);
  }
}

/** What a join makes on the provider, but the Peer: only the consumer knows its CA. */
function accountObjects(consumer: string, provider: ClusterIdentity): JoinObject[] {
  const identity = {
    clusterName: consumer,
    gatewayIdentity: gatewayIdentity(consumer),
    trustBundle: "",
  };
  return providerObjects(identity, provider).filter(({ resource }) => resource !== RESOURCES.peers);
}

async function takeBack(ledger: Ledger, options: IssueOptions): Promise<void> {
  const { reporter, clock } = options;
  if (ledger.describe().length === 0) return;
  reporter.warn("the token was not issued; what was made for it is taken back");
  await ledger.undo(reporter, clock);
  // A Ctrl-C brought us here: another one ends the process.
  await tellGateways({ ...options, signal: new AbortController().signal }, clock.nowMs());
}
