import { timingSafeEqual } from "node:crypto";
import type { Clock } from "../../api/clock.ts";
import { errorMessage } from "../../api/errors.ts";
import {
  type JoinRequest,
  LINK_TOKEN_LIFETIME_SECONDS,
  type PendingToken,
  pendingTokenData,
  readPendingToken,
  secretHashOf,
} from "../../api/join-token.ts";
import {
  ANNOTATIONS,
  CLI_FIELD_MANAGER,
  INSTALL_NAMESPACE,
  joinTokenName,
  linkServiceAccountName,
} from "../../api/names.ts";
import type { Secret } from "../../api/objects.ts";
import { type Peer, joinedPeer } from "../../api/peer.ts";
import { RESOURCES } from "../../api/resources.ts";
import { isApiError } from "../../kube/client/api-error.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import { requestToken } from "../../kube/client/request-token.ts";
import type { Logger } from "../../kube/logger.ts";
import { consumerProblem, peerProblem } from "./consumer-check.ts";
import { type JoinOutcome, refused } from "./join-outcome.ts";
import type { JoinServerOptions } from "./join-server.ts";

export interface JoinExchangeOptions {
  /** Of the gateway's own cluster. What it does here it may do only while a token is pending. */
  client: KubeClient;
  /** Where tokens, accounts and Peers are; isthmus-system when absent. */
  namespace?: string;
  clock: Clock;
  logger: Logger;
}

/** For all calls of the API server that one exchange makes. */
const TIMEOUT_MS = 10_000;
/** Another replica, or `link token`, changed the token in between. */
const MAX_CONFLICTS = 5;
/** Of a token whose id was right: beyond it, this gateway takes it no more. */
const MAX_WRONG_SECRETS = 20;
const MAX_TOKENS_COUNTED = 1024;

const UNKNOWN = refused(
  "TokenUnknown",
  "no such token is pending for this cluster: it was used, revoked or replaced by another, or has expired",
);

/** What the ingress calls for each request, with the options' client. */
export function exchangeTokens(options: JoinExchangeOptions): JoinServerOptions["exchange"] {
  const exchange = new JoinExchange(options);
  return (request, onProven) => exchange.run(request, onProven);
}

/**
 * Exchanges join tokens for credentials and a Peer. A token is used up before
 * anything is given for it (by compare-and-swap in its Secret), so that of any
 * number of tries, at any number of gateways, one succeeds for each use.
 */
class JoinExchange {
  readonly #options: Required<JoinExchangeOptions>;
  readonly #wrongSecrets = new Map<string, number>();

  constructor(options: JoinExchangeOptions) {
    this.#options = { ...options, namespace: options.namespace ?? INSTALL_NAMESPACE };
  }

  /** Calls `onProven` once when the secret was right. Never rejects. */
  async run(request: JoinRequest, onProven: () => void): Promise<JoinOutcome> {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    let isProven = false;
    const proveOnce = () => {
      if (!isProven) onProven();
      isProven = true;
    };
    try {
      for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
        const outcome = await this.#try(request, proveOnce, signal);
        if (outcome !== "changedMeanwhile") return outcome;
      }
      return refused("ExchangeFailed", "the token is being changed all the time; try again");
    } catch (error) {
      this.#warn(request, error);
      return refused("ExchangeFailed", "the provider's API server could not be asked; try again");
    }
  }

  async #try(
    request: JoinRequest,
    onProven: () => void,
    signal: AbortSignal,
  ): Promise<JoinOutcome | "changedMeanwhile"> {
    const secret = await this.#secretOf(request.consumer, signal);
    const pending = secret && readPendingToken(secret);
    if (secret === undefined || pending === undefined || !sameText(pending.id, request.id)) {
      return await this.#unknown(request, signal);
    }
    const refusal = this.#secretProblem(pending, request);
    if (refusal !== undefined) return refusal;
    onProven();
    const peer = await this.#peerOf(request.consumer, signal);
    const problem =
      this.#tokenProblem(pending, request) ??
      consumerProblem(request, this.#options.clock.nowMs()) ??
      peerProblem(peer, request);
    if (problem !== undefined) return problem;
    const used = await this.#useUp(secret, pending, signal);
    if (used === undefined) return "changedMeanwhile";
    return await this.#give(request, used, signal);
  }

  /** Without a pending token the gateway may not even look whether there is one. */
  async #secretOf(consumer: string, signal: AbortSignal): Promise<Secret | undefined> {
    const key = { namespace: this.#options.namespace, name: joinTokenName(consumer) };
    try {
      return await this.#options.client.find<Secret>(RESOURCES.secrets, key, { signal });
    } catch (error) {
      if (isApiError(error, 403)) return undefined;
      throw error;
    }
  }

  async #peerOf(consumer: string, signal: AbortSignal): Promise<Peer | undefined> {
    const key = { namespace: this.#options.namespace, name: consumer };
    return await this.#options.client.find<Peer>(RESOURCES.peers, key, { signal });
  }

  /** Whoever knows its id learns that a token was used: by somebody else, perhaps. */
  async #unknown({ consumer, id }: JoinRequest, signal: AbortSignal): Promise<JoinOutcome> {
    const peer = await this.#peerOf(consumer, signal);
    const joinedBy = peer?.metadata.annotations?.[ANNOTATIONS.joinedBy] ?? "";
    return sameText(joinedBy, id) ? usedAlready() : UNKNOWN;
  }

  #secretProblem(pending: PendingToken, { id, secret }: JoinRequest): JoinOutcome | undefined {
    const wrong = this.#wrongSecrets.get(id) ?? 0;
    if (wrong >= MAX_WRONG_SECRETS) {
      return refused("TooManyTries", "too many wrong secrets were tried; issue another token");
    }
    if (sameText(pending.secretHash, secretHashOf(secret))) return undefined;
    if (this.#wrongSecrets.size >= MAX_TOKENS_COUNTED) this.#wrongSecrets.clear();
    this.#wrongSecrets.set(id, wrong + 1);
    return refused("SecretWrong", "the secret is not that of the token");
  }

  #tokenProblem(pending: PendingToken, request: JoinRequest): JoinOutcome | undefined {
    if (pending.usesLeft <= 0) return usedAlready();
    if (this.#options.clock.nowMs() >= Date.parse(pending.expiresAt)) {
      return refused("TokenExpired", `the token expired at ${pending.expiresAt}`);
    }
    if (sameText(pending.documentHash, request.documentHash)) return undefined;
    return refused("TokenChanged", "the token is not as it was issued: a field was changed");
  }

  /** Takes one use; undefined when the token was changed since it was read. */
  async #useUp(
    secret: Secret,
    pending: PendingToken,
    signal: AbortSignal,
  ): Promise<{ secret: Secret; pending: PendingToken } | undefined> {
    const less = { ...pending, usesLeft: pending.usesLeft - 1 };
    try {
      const written = await this.#options.client.replace<Secret>(
        RESOURCES.secrets,
        { ...secret, data: pendingTokenData(less) },
        { signal },
      );
      return { secret: written, pending: less };
    } catch (error) {
      // Changed (409), or deleted with the right to change it (404, 403).
      if (isApiError(error, 409, 404, 403)) return undefined;
      throw error;
    }
  }

  async #give(
    request: JoinRequest,
    { secret, pending }: { secret: Secret; pending: PendingToken },
    signal: AbortSignal,
  ): Promise<JoinOutcome> {
    const { client, namespace } = this.#options;
    const { consumer, identity, trustBundle, id } = request;
    const isUsedUp = pending.usesLeft === 0;
    try {
      const account = { namespace, name: linkServiceAccountName(consumer) };
      const token = await requestToken(client, account, {
        lifetimeSeconds: LINK_TOKEN_LIFETIME_SECONDS,
        signal,
      });
      const peer = joinedPeer(
        { clusterName: consumer, identity, trustBundle },
        { namespace, annotations: { [ANNOTATIONS.joinedBy]: id } },
      );
      // What the consumer's controller has written of it since is this consumer's, too.
      const written = { fieldManager: CLI_FIELD_MANAGER, force: true, signal };
      await client.apply<Peer>(RESOURCES.peers, peer, written);
      if (isUsedUp) await this.#forget(request, secret);
      const { apiServer, gateway } = pending;
      return { answer: { apiServer, token, gateway } };
    } catch (error) {
      this.#warn(request, error);
      const message = "the provider could not make the credentials or the Peer; see its log";
      return refused("ExchangeFailed", message, { isUsedUp });
    }
  }

  /** With the Secret go the rights that it owns. One that stays is of no use, and swept by `link token`. */
  async #forget(request: JoinRequest, { metadata }: Secret): Promise<void> {
    const { uid, resourceVersion } = metadata;
    try {
      await this.#options.client.remove(RESOURCES.secrets, metadata, {
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
      });
    } catch (error) {
      this.#warn(request, error);
    }
  }

  #warn({ consumer }: JoinRequest, error: unknown): void {
    this.#options.logger.warn({ consumer, error: errorMessage(error) }, "join by token failed");
  }
}

function usedAlready(): JoinOutcome {
  return refused(
    "TokenUsed",
    "the token was used already; if it was not by you, somebody else has joined under this cluster's name",
  );
}

/** Compares in a time that tells nothing of where the texts differ. */
function sameText(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
