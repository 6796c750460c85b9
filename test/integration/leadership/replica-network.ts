import { onTestFinished } from "vitest";
import { addressPlan } from "../../bed/address-plan.ts";
import type { Bed } from "../../bed/bed.ts";
import { runOk } from "../../bed/command.ts";
import { fabricNetns } from "../../bed/network.ts";
import { poll } from "../../bed/poll.ts";

/** A network namespace on the bed's fabric, for one process that a test cuts off. */
export interface ReplicaNetwork {
  readonly netns: string;
  /** Drops every packet to and from an address, without a word to anyone. */
  cutOff(address: string): Promise<void>;
  /** Lets packets pass again. */
  heal(): Promise<void>;
  /** Waits until the kernel has nothing more to send to that address. */
  untilSilent(address: string): Promise<void>;
}

/** Makes the namespace; it goes with the test. */
export async function makeReplicaNetwork(bed: Bed): Promise<ReplicaNetwork> {
  const slot = Number(bed.id.replace("local-", ""));
  const plan = addressPlan(slot);
  const netns = `is${slot}-replica`;
  const port = `is${slot}-rep`;
  const inside = async (args: string[], input = "") =>
    await runOk(["nsenter", `--net=/run/netns/${netns}`, ...args], { input });
  await ip("netns", "add", netns);
  onTestFinished(async () => await ip("netns", "del", netns));
  const fabric = fabricNetns(slot);
  await ip("-n", fabric, "link", "add", port, "type", "veth", "peer", "eth0", "netns", netns);
  await ip("-n", fabric, "link", "set", port, "master", "fabric", "up");
  await ip("-n", netns, "link", "set", "lo", "up");
  await ip("-n", netns, "addr", "add", `${plan.node(0, 0)}/${plan.fabricPrefix}`, "dev", "eth0");
  await ip("-n", netns, "link", "set", "eth0", "up");
  return {
    netns,
    cutOff: async (address) => {
      const chain = (hook: string, side: string) =>
        `chain ${hook} {
          type filter hook ${hook} priority 0
          ip ${side} ${address} drop
        }`;
      const rules = `table inet cut {
        ${chain("output", "daddr")}
        ${chain("input", "saddr")}
      }`;
      await inside(["nft", "--file", "-"], `${rules}\n`);
    },
    heal: async () => void (await inside(["nft", "delete", "table", "inet", "cut"])),
    untilSilent: async (address) => {
      const sockets = async () => (await inside(["ss", "-Htan", "dst", address])).trim();
      await poll("no socket is left", async () => (await sockets()) === "", { timeoutMs: 40_000 });
    },
  };
}

async function ip(...args: string[]): Promise<void> {
  await runOk(["ip", ...args]);
}
