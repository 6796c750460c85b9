import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Loads } from "./loads.ts";
import { rssBytesOf } from "./process-cost.ts";
import type { Subject } from "./subject.ts";
import type { World } from "./world.ts";

/** Connections that still have to work afterwards, spread over all. */
const SAMPLE = 500;
const SETTLE_STEP_MS = 500;
/** Memory counts as settled when it moved by less than this in a step. */
const SETTLED_BYTES = 512 * 1024;
const SETTLE_STEPS = 20;
const WARM_UP = { connections: 256, seconds: 1 };

export interface IdleResult {
  readonly subject: string;
  readonly connections: number;
  /** Of each hop, in MiB, warmed up and with the connections open. */
  readonly rssMibBefore: readonly number[];
  readonly rssMibAfter: readonly number[];
  /** Of each hop, in units of 1024 bytes. */
  readonly kibPerConnection: readonly number[];
  readonly kibPerConnectionTogether: number;
  /** Of those asked afterwards. */
  readonly answered: number;
  readonly asked: number;
}

/**
 * Opens idle connections through hops that carry nothing else, and says what each connection costs in memory: RSS once it
 * has settled, before and after. Before, the hops have served requests on new and on kept connections.
 * @throws Error when a connection cannot be opened.
 */
export async function measureIdle(
  world: World,
  loads: Loads,
  tool: readonly string[],
  subject: Subject,
  connections: number,
): Promise<IdleResult> {
  await loads.requests(subject.target("web"), WARM_UP);
  await loads.requests(subject.target("web"), { ...WARM_UP, newConnections: true });
  const before = await settledRss(subject);
  const [program = "", ...args] = world.argvAt("client", [
    ...tool,
    "idle",
    subject.target("echo"),
    String(connections),
  ]);
  const holder = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], signal: world.signal });
  holder.on("error", () => undefined);
  const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
  const numberAfter = async (word: string): Promise<number> => {
    const { value = "" } = await lines.next();
    if (!value.startsWith(`${word} `))
      throw new Error(`idle connections: expected ${word}: ${value}`);
    return Number(value.split(" ")[1]);
  };
  try {
    await numberAfter("open");
    const after = await settledRss(subject);
    const asked = Math.min(SAMPLE, connections);
    holder.stdin.write(`${asked}\n`);
    const answered = await numberAfter("answered");
    const kib = after.map((bytes, hop) => (bytes - (before[hop] ?? 0)) / 1024 / connections);
    return {
      subject: subject.name,
      connections,
      rssMibBefore: before.map(toMib),
      rssMibAfter: after.map(toMib),
      kibPerConnection: kib,
      kibPerConnectionTogether: kib.reduce((sum, each) => sum + each, 0),
      answered,
      asked,
    };
  } finally {
    holder.stdin.end();
  }
}

function toMib(bytes: number): number {
  return bytes / 2 ** 20;
}

async function settledRss({ hops }: Subject): Promise<number[]> {
  const read = () => hops.map(({ pid }) => rssBytesOf([pid]));
  let last = read();
  for (let step = 0; step < SETTLE_STEPS; step += 1) {
    await sleep(SETTLE_STEP_MS);
    const now = read();
    const moved = now.some((bytes, hop) => Math.abs(bytes - (last[hop] ?? 0)) > SETTLED_BYTES);
    last = now;
    if (!moved) break;
  }
  return last;
}
