import type { Bed } from "./bed.ts";
import { runOk } from "./command.ts";
import { fabricNetns } from "./network.ts";

/** Takes a fault away again; safe to call twice. */
export type EndFault = () => Promise<void>;

/** Names the rules of each fault apart, also across the faults of several processes. */
let faultCount = 0;

function fabricOf(bed: Bed): string {
  const slot = /^local-(\d+)$/.exec(bed.id)?.[1];
  if (slot === undefined) throw new Error(`faults of the network need a local bed, not ${bed.id}`);
  return fabricNetns(Number(slot));
}

function inFabric(bed: Bed, args: readonly string[], input = ""): Promise<string> {
  return runOk(["nsenter", `--net=/run/netns/${fabricOf(bed)}`, ...args], { input });
}

function once(end: () => Promise<unknown>): EndFault {
  let ended: Promise<unknown> | undefined;
  return async () => {
    ended ??= end();
    await ended;
  };
}

/**
 * Drops packets between clusters that go to or come from an address, without a word to anyone.
 * @param address an address of a Service of type LoadBalancer
 * @param share of the packets, each by chance: 1 is a black hole
 */
export async function dropPackets(bed: Bed, address: string, share = 1): Promise<EndFault> {
  const chance = share >= 1 ? "" : `numgen random mod 10000 < ${Math.round(share * 10_000)} `;
  return await dropMatching(bed, address, chance);
}

/**
 * Drops packets between clusters that go to or come from an address and are longer than `maxBytes`, IP header included,
 * without a word to anyone: a path whose MTU is smaller than its ends believe.
 */
export async function dropLargePackets(
  bed: Bed,
  address: string,
  maxBytes: number,
): Promise<EndFault> {
  return await dropMatching(bed, address, `ip length > ${maxBytes} `);
}

async function dropMatching(bed: Bed, address: string, match: string): Promise<EndFault> {
  faultCount += 1;
  const table = `bridge isthmus-fault-${process.pid}-${faultCount}`;
  const rules = `table ${table} {
  chain forward {
    type filter hook forward priority -10; policy accept;
    ip daddr ${address} ${match}drop
    ip saddr ${address} ${match}drop
  }
}
`;
  await inFabric(bed, ["nft", "--file", "-"], rules);
  return once(() => inFabric(bed, ["nft", "delete", "table", ...table.split(" ")]));
}

/** What a narrow path lets through. */
export interface NarrowPath {
  /** The cluster that has the address. */
  readonly cluster: string;
  readonly address: string;
  readonly kbitPerSecond: number;
  /** Packets that wait before further ones are dropped. */
  readonly maxPackets: number;
}

/**
 * Makes the path to an address narrow in both directions: packets queue, come late, and are dropped when the queue is
 * full. (sch_netem, which delays each packet alike, is not in every kernel; htb and u32 are more common.)
 */
export async function narrowPath(bed: Bed, path: NarrowPath): Promise<EndFault> {
  const ports = [...bed.clusters.values()].flatMap(({ name, nodes }, index) =>
    nodes.map((_, node) => ({ port: `n${index}-${node}`, cluster: name })),
  );
  faultCount += 1;
  const fault = faultCount;
  const undo: (() => Promise<unknown>)[] = [];
  const end = once(async () => {
    for (const each of undo.toReversed()) await each();
  });
  try {
    for (const { port, cluster } of ports) {
      const side = cluster === path.cluster ? "dst" : "src";
      // Stays: another fault may share it, and alone it holds nothing up.
      const add = `tc qdisc add dev ${port} root handle 1: htb`;
      await inFabric(bed, [
        "sh",
        "-c",
        `tc qdisc show dev ${port} | grep -q "htb 1: root" || ${add}`,
      ]);
      await inFabric(bed, ["tc", "-batch", "-"], narrowRules(port, { side, fault, path }));
      undo.push(() => inFabric(bed, ["tc", "-batch", "-"], wideRules(port, fault)));
    }
  } catch (error) {
    await end();
    throw error;
  }
  return end;
}

function narrowRules(
  port: string,
  { side, fault, path }: { side: "src" | "dst"; fault: number; path: NarrowPath },
): string {
  const { address, kbitPerSecond, maxPackets } = path;
  return [
    `class add dev ${port} parent 1: classid 1:${fault} htb rate ${kbitPerSecond}kbit burst 3k`,
    `qdisc add dev ${port} parent 1:${fault} pfifo limit ${maxPackets}`,
    `filter add dev ${port} parent 1: prio ${fault} protocol ip u32 match ip ${side} ${address}/32 flowid 1:${fault}`,
    "",
  ].join("\n");
}

function wideRules(port: string, fault: number): string {
  return [
    `filter del dev ${port} parent 1: prio ${fault}`,
    `class del dev ${port} classid 1:${fault}`,
    "",
  ].join("\n");
}
