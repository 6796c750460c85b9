import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  type CONTROLLER_NAME,
  GATEWAY_NAME,
  gatewayIdentity,
  INGRESS_PORT,
  INSTALL_NAMESPACE,
  LABELS,
} from "../../api/names.ts";
import { JOIN_PATH, JOIN_SERVER_NAME, type JoinToken } from "../../api/join-token.ts";
import type { Pod, Service } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { BedNode } from "../bed/bed.ts";
import { signalProcess } from "../bed/processes.ts";
import { processesOfPods } from "../system/kill-pods.ts";
import type { Member } from "../system/system.ts";
import { NAMESPACE } from "./broken-objects.ts";

/** Takes a fault away again. */
export type EndFault = () => Promise<void>;

type Program = typeof CONTROLLER_NAME | typeof GATEWAY_NAME;

/** The pods of controller or gateway. */
async function podsOf({ client }: Member, program: Program): Promise<Pod[]> {
  const labelSelector = `${LABELS.name}=${program}`;
  const { items } = await client.list<Pod>(RESOURCES.pods, {
    namespace: INSTALL_NAMESPACE,
    labelSelector,
  });
  return items;
}

/** Signals every process of controller or gateway in a cluster. */
export async function signalAll(
  member: Member,
  program: Program,
  signal: NodeJS.Signals,
): Promise<void> {
  for (const each of processesOfPods(await podsOf(member, program))) signalProcess(each, signal);
}

/** Lets the last gateway of a cluster reach an address no more, without a word. */
export async function cutOffOneGateway(
  member: Member,
  node: BedNode,
  address: string,
): Promise<EndFault> {
  const pod = (await podsOf(member, GATEWAY_NAME)).at(-1);
  const podAddress = pod?.status?.podIPs?.[0]?.ip ?? "";
  const table = "inet isthmus-watched";
  const input = `table ${table} {
  chain forward {
    type filter hook forward priority -10; policy accept;
    ip saddr ${podAddress} ip daddr ${address} drop
  }
}
`;
  await expectOk(node, ["nft", "--file", "-"], input);
  return async () => await expectOk(node, ["nft", "delete", "table", ...table.split(" ")]);
}

/** Takes the egress port of a mirror in the network of the first gateway, before that gateway listens there. */
export async function takeEgressPort(member: Member, mirror: string): Promise<EndFault> {
  const [found] = processesOfPods((await podsOf(member, GATEWAY_NAME)).slice(0, 1));
  if (found === undefined) throw new Error(`no gateway runs in ${member.name}`);
  const key = { namespace: NAMESPACE, name: mirror };
  const { spec } = await member.client.get<Service>(RESOURCES.services, key);
  const port = spec?.ports?.[0]?.targetPort;
  const program = `require("node:net").createServer().listen(${port}, () => console.log("listens"))`;
  const argv = [`--net=/proc/${found.pid}/ns/net`, process.execPath, "-e", program];
  const holder = spawn("nsenter", argv, { stdio: ["ignore", "pipe", "inherit"] });
  await Promise.race([
    once(holder.stdout, "data"),
    once(holder, "exit").then(([code]) => {
      throw new Error(`port ${port} could not be taken: exit code ${code}`);
    }),
  ]);
  return async () => {
    holder.kill("SIGKILL");
    await once(holder, "exit");
  };
}

/** More than two gateways let wait for their handshake. */
const SILENT_CLIENTS = 1600;
const STRANGERS = 20;

const CLIENTS = `
const [address, port, silent, strangers] = process.argv.slice(1);
const net = require("node:net");
const tls = require("node:tls");
const ignore = () => {};
for (let n = 0; n < silent; n += 1) net.connect(port, address).on("error", ignore);
const stranger = (left) => {
  if (left === 0) return;
  const options = { host: address, port, servername: "stranger.peer.isthmus", ALPNProtocols: ["h2"] };
  const socket = tls.connect({ ...options, rejectUnauthorized: false });
  socket.on("error", ignore).on("close", () => setTimeout(stranger, 100, left - 1));
};
stranger(Number(strangers));
setTimeout(() => process.exit(), 100 * strangers + 2000);
`;

/** Has many clients at a gateway's ingress that say nothing, and some that are no Peer's. */
export async function floodIngress(node: BedNode, address: string): Promise<void> {
  const numbers = [INGRESS_PORT, SILENT_CLIENTS, STRANGERS].map(String);
  await expectOk(node, [process.execPath, "-e", CLIENTS, address, ...numbers]);
}

const GUESSES = `
const [address, port, servername, path, body] = process.argv.slice(1);
const https = require("node:https");
const guess = (left) => {
  if (left === 0) return;
  const options = { host: address, port, servername, path, method: "POST", rejectUnauthorized: false };
  const request = https.request({ ...options, agent: false, headers: { "content-type": "application/json" } });
  const next = () => guess(left - 1);
  request.on("response", (answer) => answer.resume().on("close", next)).on("error", next);
  request.end(body);
};
guess(12);
`;

/** Guesses the secret of a join token that is pending, from a cluster's node. */
export async function guessJoinToken(
  node: BedNode,
  address: string,
  { id, consumer, trustBundle }: JoinToken,
): Promise<void> {
  const identity = gatewayIdentity(consumer);
  const wrong = { secret: "A".repeat(43), documentHash: "0".repeat(64) };
  const body = JSON.stringify({ id, consumer, identity, trustBundle, ...wrong });
  const where = [address, String(INGRESS_PORT), JOIN_SERVER_NAME, JOIN_PATH];
  await expectOk(node, [process.execPath, "-e", GUESSES, ...where, body]);
}

async function expectOk(node: BedNode, args: readonly string[], input = ""): Promise<void> {
  const { code, stderr } = await node.exec(args, { input });
  if (code !== 0) throw new Error(`${args[0]} on ${node.name} ended with ${code}: ${stderr}`);
}
