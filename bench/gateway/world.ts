import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { claimSlot, claimantOf, reclaimStaleSlots, slotFolder } from "../../test/bed/slot.ts";
import { run, runOk } from "../../test/bed/command.ts";
import { guardExit } from "../../test/bed/exit-guard.ts";
import { poll } from "../../test/bed/poll.ts";
import {
  type ProcessRecord,
  isAlive,
  pollWhileAlive,
  signalProcess,
  startProcess,
} from "../../test/bed/processes.ts";
import { addressPlan } from "../../test/bed/address-plan.ts";
import { sweepSlot } from "../../test/bed/sweep.ts";

/** The four places of the bench, each a network namespace of its own. */
export type Place = "client" | "hop1" | "hop2" | "server";
const PLACES: readonly Place[] = ["client", "hop1", "hop2", "server"];

const END_TIMEOUT_MS = 20_000;
const READY_TIMEOUT_MS = 20_000;

/**
 * A connection of a direct path leaves its port at the server in TIME_WAIT, one through two hops leaves three at three
 * places: kept for their minute they would pile up and slow down whichever path is measured last.
 */
const SYSCTLS = [
  // Above every port that something listens on.
  "net.ipv4.ip_local_port_range=30000 65535",
  "net.ipv4.tcp_max_tw_buckets=2048",
  "net.core.somaxconn=4096",
];

/**
 * Four namespaces joined by a bridge in a fifth: whatever goes from one place to another crosses the same two cables. It
 * takes a slot of the test bed, so that all of it goes even when this process is killed.
 */
export class World {
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly #slot: number;
  readonly #addresses: ReadonlyMap<Place, string>;
  readonly #callOffGuard: () => void;
  readonly #processes: ProcessRecord[] = [];

  private constructor(slot: number, signal: AbortSignal) {
    this.signal = signal;
    this.#slot = slot;
    this.folder = slotFolder(slot);
    this.#callOffGuard = guardExit(slot, claimantOf(false));
    const plan = addressPlan(slot);
    this.#addresses = new Map(PLACES.map((place, index) => [place, plan.node(0, index)]));
  }

  /** Makes the namespaces. Needs root. */
  static async create(signal: AbortSignal): Promise<World> {
    await reclaimStaleSlots();
    const world = new World(claimSlot(), signal);
    try {
      await world.#join();
      return world;
    } catch (error) {
      await world.down();
      throw error;
    }
  }

  address(place: Place): string {
    return this.#addresses.get(place) ?? "";
  }

  /** Starts a program at a place; what it prints goes to a log in the world's folder. */
  start(label: string, place: Place, argv: readonly string[]): ProcessRecord {
    const logPath = join(this.folder, `${label}.log`);
    const record = startProcess(this.folder, { label, netns: this.#netns(place), argv, logPath });
    this.#processes.push(record);
    return record;
  }

  /** Starts a program and waits until its log holds `line`. @throws Error with its log's end when it has ended. */
  async startAndAwait(
    label: string,
    place: Place,
    argv: readonly string[],
    line: string,
  ): Promise<ProcessRecord> {
    const record = this.start(label, place, argv);
    const printed = async () =>
      existsSync(record.logPath) && readFileSync(record.logPath, "utf8").includes(line);
    await pollWhileAlive(`${label} says ${line}`, [record], printed, {
      timeoutMs: READY_TIMEOUT_MS,
      intervalMs: 20,
      signal: this.signal,
    });
    return record;
  }

  /** Runs a program at a place to its end and returns what it printed. @throws Error when it fails. */
  async exec(place: Place, argv: readonly string[], timeoutMs: number): Promise<string> {
    this.signal.throwIfAborted();
    return await runOk(this.argvAt(place, argv), { timeoutMs });
  }

  /** Runs a program at a place until it succeeds. */
  async untilSucceeds(awaited: string, place: Place, argv: readonly string[]): Promise<void> {
    const attempt = async () => {
      const { code, stderr } = await run(this.argvAt(place, argv), { timeoutMs: 5000 });
      if (code !== 0) throw new Error(stderr.trim());
      return true;
    };
    await poll(awaited, attempt, { timeoutMs: READY_TIMEOUT_MS, signal: this.signal });
  }

  argvAt(place: Place, argv: readonly string[]): string[] {
    return ["nsenter", `--net=/run/netns/${this.#netns(place)}`, ...argv];
  }

  /** Ends processes in order, so that they can write what they have to, and waits for it. */
  async end(records: readonly ProcessRecord[]): Promise<void> {
    for (const record of records) signalProcess(record, "SIGTERM");
    await poll("processes end", () => !records.some(isAlive), { timeoutMs: END_TIMEOUT_MS });
  }

  /** Ends everything and leaves nothing behind. */
  async down(): Promise<void> {
    try {
      await this.end(this.#processes);
    } finally {
      await sweepSlot(this.#slot, this.folder);
      this.#callOffGuard();
    }
  }

  #netns(place: Place | "fabric"): string {
    return `is${this.#slot}-${place}`;
  }

  async #join(): Promise<void> {
    const fabric = this.#netns("fabric");
    const { fabricPrefix } = addressPlan(this.#slot);
    await ip([`netns add ${fabric}`, ...PLACES.map((place) => `netns add ${this.#netns(place)}`)]);
    await ip(
      [
        "link add fabric type bridge",
        "link set fabric up",
        ...PLACES.flatMap((place) => [
          `link add ${place} type veth peer name eth0 netns ${this.#netns(place)}`,
          `link set ${place} master fabric up`,
        ]),
      ],
      fabric,
    );
    for (const place of PLACES) {
      await ip(
        [
          "link set lo up",
          `addr add ${this.address(place)}/${fabricPrefix} dev eth0`,
          "link set eth0 up",
        ],
        this.#netns(place),
      );
      await runOk(this.argvAt(place, ["sysctl", "-qw", ...SYSCTLS]));
    }
  }
}

async function ip(commands: readonly string[], netns?: string): Promise<void> {
  const inside = netns === undefined ? [] : ["-n", netns];
  await runOk(["ip", ...inside, "-batch", "-"], { input: `${commands.join("\n")}\n` });
}
