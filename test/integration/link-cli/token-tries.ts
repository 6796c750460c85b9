import { once } from "node:events";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { connect as connectTcp } from "node:net";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { onTestFinished } from "vitest";
import {
  JOIN_PATH,
  type JoinRefusal,
  type JoinRequest,
  type PendingToken,
  readPendingToken,
} from "../../../api/join-token.ts";
import { gatewayIdentity } from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { joinClientTlsOptions } from "../../../pki/join-tls.ts";
import { both, inSystem } from "./join-bed.ts";
import { type CommandOutcome, runCommand } from "./run-command.ts";
import type { TokenBed } from "./token-bed.ts";

export type Answer = { status: number | undefined; body: JoinRefusal & { token?: string } };

/** Every text that these tests sent or got and that nobody else is to see. */
export const SECRETS = new Set<string>();
const addresses = addressesOfLoopback();

/** An address may try as often as a person does, and no oftener: each try has one of its own. */
function* addressesOfLoopback(): Generator<string, never> {
  for (let tries = 0; ; tries += 1) {
    yield `127.1.${Math.floor(tries / 250)}.${(tries % 250) + 1}`;
  }
}

/** Gives a request to one of west's gateways, as anybody may; undefined when it takes none. */
export async function give(
  bed: TokenBed,
  request: JoinRequest,
  at: 0 | 1 = 0,
): Promise<Answer | undefined> {
  const { ca } = bed.west();
  const { ingressPort: port } = bed.gateways()[at].gateway;
  const socket = connect({
    ...joinClientTlsOptions({ bundlePem: ca.certificatePem, identity: gatewayIdentity("west") }),
    socket: connectTcp({ host: "127.0.0.1", port, localAddress: addresses.next().value }),
  });
  onTestFinished(() => void socket.destroy());
  try {
    await once(socket, "secureConnect");
  } catch {
    return undefined;
  }
  const asked = httpRequest({ createConnection: () => socket, method: "POST", path: JOIN_PATH });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    asked.once("response", resolve).once("error", reject);
  });
  asked.end(JSON.stringify(request));
  const response = await answered;
  const body: Answer["body"] = JSON.parse(await text(response));
  for (const secret of [request.secret, body.token ?? request.secret]) SECRETS.add(secret);
  return { status: response.statusCode, body };
}

/** What a gateway refuses a request with. */
export async function refusalOf(
  bed: TokenBed,
  request: JoinRequest,
  at: 0 | 1 = 0,
): Promise<string | undefined> {
  const answer = await give(bed, request, at);
  return answer?.body.reason;
}

/** What west keeps of the token for a consumer. */
export async function pendingAt(
  bed: TokenBed,
  consumer = "east",
): Promise<PendingToken | undefined> {
  const key = inSystem(`isthmus-join-token-${consumer}`);
  const secret = await bed.open("west").client.find<Secret>(RESOURCES.secrets, key);
  return secret && readPendingToken(secret);
}

/** Runs `link token` with these arguments. */
export function link(bed: TokenBed, ...args: readonly string[]): Promise<CommandOutcome> {
  return runCommand(["token", ...args, "--kubeconfig", bed.kubeconfigPath()]);
}

/** What both clusters hold, but the leaf: it says until when tokens are taken. */
export async function held(bed: TokenBed): Promise<unknown> {
  return (await both(bed)).map((entries) =>
    [...entries].filter(([name]) => name !== "Secret isthmus-gateway-tls"),
  );
}
