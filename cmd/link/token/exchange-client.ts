import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { type TLSSocket, connect } from "node:tls";
import type { Clock } from "../../../api/clock.ts";
import { errorMessage } from "../../../api/errors.ts";
import {
  documentHashOf,
  JOIN_PATH,
  JOIN_SERVER_NAME,
  type JoinAnswer,
  joinAnswerSchema,
  type JoinRefusal,
  type JoinRefusalReason,
  type JoinRequest,
  joinRefusalSchema,
  type JoinToken,
} from "../../../api/join-token.ts";
import { joinClientTlsOptions } from "../../../pki/join-tls.ts";
import { PeerIdentityError } from "../../../pki/tls.ts";
import { CliError, EXIT_CODES } from "../cli-error.ts";
import type { ClusterIdentity } from "../identity.ts";

export interface ExchangeClientOptions {
  clock: Clock;
  signal: AbortSignal;
}

const CONNECT_TIMEOUT_MS = 5000;
/** The gateway gives up before (gateway/join/join-server.ts). */
const ANSWER_TIMEOUT_MS = 25_000;
const MAX_ANSWER_BYTES = 256 * 1024;
/** How often all addresses are tried, and what is waited in between. */
const ROUNDS = 3;
const ROUND_DELAY_MS = 700;

const FIXES: Readonly<Partial<Record<JoinRefusalReason, string>>> = {
  PeerExists: "the provider's administrator removes the other one first: link unjoin --peer NAME",
  IdentityInvalid: "look at this cluster's own identity: link check",
  ExchangeFailed: "give the command again; if the token is used up, ask for another",
  TooManyTries: "give the command again in a while, or ask for another token",
};
const ASK_ANOTHER =
  "ask the provider's administrator for another: link token issue --consumer NAME";

/** Nothing of the token has left this machine: another address may do, or another time where it is `passing`. */
class NotSentError extends Error {
  override readonly name = "NotSentError";
  readonly passing: boolean;

  constructor(message: string, options: { passing: boolean; cause: unknown }) {
    super(message, { cause: options.cause });
    this.passing = options.passing;
  }
}

/**
 * Gives a token to the provider's gateway and returns what it answers. Nothing
 * of the token is sent before the gateway has shown a certificate that the
 * token's bundle vouches for, with the identity that the token names.
 * @throws CliError saying why no gateway took it, and whether the token is used up.
 */
export async function exchangeToken(
  token: JoinToken,
  consumer: ClusterIdentity,
  { clock, signal }: ExchangeClientOptions,
): Promise<JoinAnswer> {
  const problems = new Map<string, NotSentError>();
  const mayPass = () => [...problems.values()].some(({ passing }) => passing);
  for (let round = 0; round === 0 || (round < ROUNDS && mayPass()); round += 1) {
    if (round > 0) await clock.sleep(ROUND_DELAY_MS, signal);
    for (const address of token.gateway.addresses) {
      signal.throwIfAborted();
      try {
        const socket = await dial(token, address, signal);
        return await ask(socket, requestOf(token, consumer), signal);
      } catch (error) {
        if (!(error instanceof NotSentError)) throw error;
        problems.set(address, error);
      }
    }
  }
  const tried = [...problems].map(
    ([address, { message }]) => `${address} port ${token.gateway.port}: ${message}`,
  );
  throw new CliError(
    `the gateway of ${token.provider} did not take the token: ${tried.join("; ")}`,
    {
      fix: "give the command where the gateway's addresses are reached; the token is not used up",
    },
  );
}

function requestOf(token: JoinToken, consumer: ClusterIdentity): JoinRequest {
  return {
    id: token.id,
    secret: token.secret,
    consumer: token.consumer,
    documentHash: documentHashOf(token),
    identity: consumer.gatewayIdentity,
    trustBundle: consumer.trustBundle,
  };
}

/** A connection over which the gateway has shown who it is. */
async function dial(token: JoinToken, host: string, signal: AbortSignal): Promise<TLSSocket> {
  const { port, identity } = token.gateway;
  const tls = joinClientTlsOptions({ bundlePem: token.trustBundle, identity });
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  let socket: TLSSocket | undefined;
  try {
    socket = connect({ ...tls, host, port });
    await once(socket, "secureConnect", { signal: AbortSignal.any([signal, timeout]) });
    return socket;
  } catch (error) {
    socket?.on("error", () => {}).destroy();
    signal.throwIfAborted();
    throw timeout.aborted
      ? new NotSentError("no answer", { passing: true, cause: error })
      : notDialled(error);
  }
}

function notDialled(error: unknown): NotSentError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (error instanceof PeerIdentityError || /CERT|ISSUER|VERIFY|SIGNED/.test(code)) {
    const message = `what answers there is not that gateway (${errorMessage(error)})`;
    return new NotSentError(message, { passing: false, cause: error });
  }
  const message =
    code === "ECONNRESET" || code.includes("ALERT")
      ? "it takes no token now: none is pending there (it was used, revoked, or has expired by the clock of that side), or too many are tried"
      : errorMessage(error);
  return new NotSentError(message, { passing: true, cause: error });
}

async function ask(socket: TLSSocket, body: JoinRequest, signal: AbortSignal): Promise<JoinAnswer> {
  const text = JSON.stringify(body);
  const request = httpRequest({
    createConnection: () => socket,
    method: "POST",
    path: JOIN_PATH,
    headers: {
      host: JOIN_SERVER_NAME,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    },
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
  });
  let answer: unknown;
  try {
    const answered = once(request, "response");
    request.end(text);
    const [response] = await answered;
    answer = await readJson(response);
  } catch (error) {
    throw new CliError(
      `the token was sent, and the answer did not arrive (${errorMessage(error)}): it may be used up`,
      {
        fix: `try once more; if it is used up, ${ASK_ANOTHER}`,
        exitCode: signal.aborted ? EXIT_CODES.interrupted : EXIT_CODES.failed,
        cause: error,
      },
    );
  } finally {
    socket.destroy();
  }
  const refusal = joinRefusalSchema.safeParse(answer);
  if (refusal.success) throw refusalError(refusal.data);
  const parsed = joinAnswerSchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CliError("the gateway's answer to the token is none that can be understood", {
    fix: "use a link of the provider's version; the token may be used up",
  });
}

async function readJson(response: AsyncIterable<Buffer>): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error("it is too long");
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

function refusalError({ reason, message, isUsedUp }: JoinRefusal): CliError {
  const after = isUsedUp ? "; the token is used up" : "";
  return new CliError(`the provider did not take the token: ${reason}: ${message}${after}`, {
    fix: FIXES[reason] ?? ASK_ANOTHER,
  });
}
