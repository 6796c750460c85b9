import { type Socket as UdpSocket, createSocket } from "node:dgram";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { runOk } from "../../bed/command.ts";

const VXLAN_PORT = 4789;

/**
 * Two network namespaces of the test's own, joined by a path on which each
 * packet comes late and some are lost. sch_netem is not in every kernel, so a
 * tunnel (VXLAN) carries the packets and a relay in this process delays and
 * drops them: TCP at both ends is the kernel's and really sends them again.
 */
export class LongPath {
  /** Namespaces at the two ends, and the address of the far one. */
  readonly near: string;
  readonly far: string;
  readonly farAddress = "10.0.0.2";
  /** Share of the packets that are lost. */
  loss: number;
  passed = 0;
  dropped = 0;
  readonly #delayMs: number;
  readonly #sockets: UdpSocket[] = [];
  readonly #underWay = new Set<NodeJS.Timeout>();

  private constructor(options: { delayMs: number; loss: number }) {
    this.#delayMs = options.delayMs;
    this.loss = options.loss;
    this.near = `isgw-${process.pid}-near`;
    this.far = `isgw-${process.pid}-far`;
  }

  /** Makes it; removed with the test. `delayMs` is each way. Needs root. */
  static async create(options: { delayMs: number; loss: number }): Promise<LongPath> {
    const path = new LongPath(options);
    // Addresses for measurements between networks: RFC 2544.
    const prefix = `198.18.${process.pid % 250}`;
    const ends = [
      { netns: path.near, device: `igw${process.pid}n`, root: `${prefix}.1`, own: `${prefix}.2` },
      { netns: path.far, device: `igw${process.pid}f`, root: `${prefix}.5`, own: `${prefix}.6` },
    ];
    onTestFinished(async () => {
      path.loss = 1;
      for (const timer of path.#underWay) clearTimeout(timer);
      for (const socket of path.#sockets) socket.close();
      // With a namespace go its devices and the other ends of its cables.
      for (const { netns } of ends) await runOk(["ip", "netns", "del", netns]);
    });
    for (const [index, { netns, device, root, own }] of ends.entries()) {
      await ip(`netns add ${netns}`);
      await ip(
        `link add ${device} type veth peer name wire netns ${netns}`,
        `addr add ${root}/30 dev ${device}`,
        `link set ${device} up`,
      );
      await ip(
        `-n ${netns} link set lo up`,
        `-n ${netns} addr add ${own}/30 dev wire`,
        `-n ${netns} link set wire up`,
        `-n ${netns} link add path type vxlan id 7 remote ${root} dstport ${VXLAN_PORT} dev wire`,
        `-n ${netns} addr add 10.0.0.${index + 1}/24 dev path`,
        // A packet each: the kernel would hand over many in one.
        `-n ${netns} link set path gso_max_segs 1 up`,
      );
      const socket = createSocket("udp4");
      path.#sockets.push(socket);
      socket.bind(VXLAN_PORT, root);
      await once(socket, "listening");
    }
    const [near, far] = path.#sockets;
    const [nearEnd, farEnd] = ends;
    if (near === undefined || far === undefined) throw new Error("two sockets were made");
    near.on("message", (packet) => path.#carry(packet, far, farEnd?.own ?? ""));
    far.on("message", (packet) => path.#carry(packet, near, nearEnd?.own ?? ""));
    return path;
  }

  #carry(packet: Buffer, socket: UdpSocket, to: string): void {
    if (Math.random() < this.loss) {
      this.dropped += 1;
      return;
    }
    this.passed += 1;
    completeChecksum(packet);
    const timer = setTimeout(() => {
      this.#underWay.delete(timer);
      socket.send(packet, VXLAN_PORT, to);
    }, this.#delayMs);
    this.#underWay.add(timer);
  }
}

const VXLAN_BYTES = 8;
const ETHERNET_BYTES = 14;
const PROTOCOL_TCP = 6;

/**
 * The kernel leaves the checksum of TCP to the device (that is what veth
 * promises), and none comes before a tunnel's packet is read here: RFC 9293
 * section 3.1, over IPv4.
 */
function completeChecksum(packet: Buffer): void {
  const ipv4 = packet.subarray(VXLAN_BYTES + ETHERNET_BYTES);
  const isTcp = packet.readUInt16BE(VXLAN_BYTES + 12) === 0x0800 && ipv4[9] === PROTOCOL_TCP;
  if (!isTcp) return;
  const headerBytes = 4 * (ipv4.readUInt8(0) & 0x0f);
  const tcp = ipv4.subarray(headerBytes, ipv4.readUInt16BE(2));
  tcp.writeUInt16BE(0, 16);
  let sum = PROTOCOL_TCP + tcp.length;
  for (let offset = 12; offset < 20; offset += 2) sum += ipv4.readUInt16BE(offset);
  for (let offset = 0; offset + 1 < tcp.length; offset += 2) sum += tcp.readUInt16BE(offset);
  if (tcp.length % 2 === 1) sum += 256 * tcp.readUInt8(tcp.length - 1);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  tcp.writeUInt16BE(~sum & 0xffff, 16);
}

async function ip(...commands: string[]): Promise<void> {
  for (const command of commands) await runOk(["ip", ...command.split(" ")]);
}
