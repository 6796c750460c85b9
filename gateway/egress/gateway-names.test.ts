import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import type { Clock } from "../../api/clock.ts";
import { GatewayNames } from "./gateway-names.ts";

const PORT = 15_008;

/** Time that passes only when a test says so; looked at between the turns of the event loop. */
class ManualClock implements Clock {
  #nowMs = 0;
  #sleepers: { atMs: number; wake: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#sleepers.push({ atMs: this.#nowMs + durationMs, wake: resolve });
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    await promise;
  }

  async pass(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      await settle();
      const next = this.#sleepers.toSorted((one, other) => one.atMs - other.atMs)[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#nowMs = next.atMs;
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== next);
      next.wake();
    }
    this.#nowMs = endMs;
  }
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

type Answers = Record<string, readonly string[] | Error>;

/** Names with what DNS says of them at first; an Error is a lookup that fails. */
function followed(answers: Answers, ...hosts: string[]) {
  const clock = new ManualClock();
  const dns = new Map(Object.entries(answers));
  const state = { lookups: 0, isUp: true, dns, clock };
  const names = new GatewayNames({
    names: {
      resolve: async (name) => {
        state.lookups += 1;
        const answer = dns.get(name) ?? new Error("ENOTFOUND");
        if (answer instanceof Error) throw answer;
        return await Promise.resolve(answer);
      },
      clock,
    },
    random: () => 0.5,
    logger: pino({ level: "silent" }),
    isUp: () => state.isUp,
    onChange: () => undefined,
  });
  onTestFinished(() => names.stop());
  const set = (...given: string[]) => names.set(given.map((host) => ({ host, port: PORT })));
  set(...hosts);
  return { ...state, state, names, set, hosts: () => names.addresses.map(({ host }) => host) };
}

test("IP addresses are used as they are, and never looked up", async () => {
  const { names, state } = followed({}, "192.0.2.1", "2001:db8::1");
  await settle();
  expect(names.addresses).toEqual([
    { host: "192.0.2.1", port: PORT },
    { host: "2001:db8::1", port: PORT },
  ]);
  expect(names.pending).toBe(false);
  expect(state.lookups).toBe(0);
});

test("a name is looked up at once and then every half minute", async () => {
  const { dns, clock, hosts, state, names } = followed({ "a.example": ["192.0.2.1"] }, "a.example");
  expect(names.pending).toBe(true);
  await clock.pass(0);
  expect(names.pending).toBe(false);
  expect(hosts()).toEqual(["192.0.2.1"]);
  dns.set("a.example", ["192.0.2.1", "2001:db8::1"]);
  await clock.pass(29_000);
  expect(hosts()).toEqual(["192.0.2.1"]);
  await clock.pass(2000);
  expect(hosts()).toEqual(["192.0.2.1", "2001:db8::1"]);
  expect(state.lookups).toBe(2);
});

test("an address that is missing from one answer stays, from two it goes", async () => {
  const { dns, clock, hosts } = followed({ "a.example": ["192.0.2.1", "192.0.2.2"] }, "a.example");
  await clock.pass(0);
  dns.set("a.example", ["192.0.2.2", "192.0.2.3"]);
  await clock.pass(30_000);
  expect(hosts()).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  await clock.pass(30_000);
  expect(hosts()).toEqual(["192.0.2.2", "192.0.2.3"]);
});

test.each([new Error("EAI_AGAIN"), [], ["not an address"]])(
  "an answer of no use changes nothing, however often: %j",
  async (answer) => {
    const { dns, clock, hosts, names } = followed({ "a.example": ["192.0.2.1"] }, "a.example");
    await clock.pass(0);
    dns.set("a.example", answer);
    await clock.pass(600_000);
    expect(hosts()).toEqual(["192.0.2.1"]);
    expect(names.failure).toContain("a.example: ");
  },
);

test("while the link is down its name is looked up every few seconds", async () => {
  const { dns, clock, hosts, state } = followed({ "a.example": ["192.0.2.1"] }, "a.example");
  await clock.pass(6000);
  expect(state.lookups).toBe(1);
  state.isUp = false;
  dns.set("a.example", ["192.0.2.2"]);
  await clock.pass(5000);
  expect(hosts()).toContain("192.0.2.2");
});

test("a link has sixteen addresses at most, and DNS cannot make them others at every answer", async () => {
  const many = Array.from({ length: 100 }, (_, index) => `198.51.100.${index}`);
  const answers = { "a.example": many.toReversed(), "b.example": ["203.0.113.1"] };
  const { dns, clock, hosts } = followed(answers, "192.0.2.200", "a.example", "b.example");
  await clock.pass(0);
  const first = hosts();
  expect(first).toHaveLength(16);
  expect(first[0]).toBe("192.0.2.200");
  dns.set("a.example", [...many.slice(20), ...many.slice(0, 20)]);
  await clock.pass(60_000);
  expect(hosts()).toEqual(first);
});

test("a name that is not wanted any more is forgotten", async () => {
  const { clock, hosts, set, state } = followed({ "a.example": ["192.0.2.1"] }, "a.example");
  await clock.pass(0);
  set("192.0.2.9");
  expect(hosts()).toEqual(["192.0.2.9"]);
  await clock.pass(600_000);
  expect(state.lookups).toBe(1);
});
