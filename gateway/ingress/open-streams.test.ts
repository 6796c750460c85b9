import { beforeEach, describe, expect, test } from "vitest";
import { ANNOTATIONS } from "../../api/names.ts";
import type { Service } from "../../api/objects.ts";
import { OpenStreams } from "./open-streams.ts";

const GRACE_MS = 10_000;

/** Sleeps that last until the test ends them. */
class HeldClock {
  readonly #sleepers = new Map<() => void, AbortSignal | undefined>();

  get sleepers(): number {
    return this.#sleepers.size;
  }

  nowMs(): number {
    return 0;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (durationMs !== GRACE_MS) throw new Error(`asked to sleep ${durationMs} ms`);
    await new Promise<void>((resolve, reject) => {
      this.#sleepers.set(resolve, signal);
      signal?.addEventListener("abort", () => {
        this.#sleepers.delete(resolve);
        reject(new DOMException("stopped", "AbortError"));
      });
    });
  }

  /** Lets the grace of all pass, and what follows happen. */
  async pass(): Promise<void> {
    for (const resolve of this.#sleepers.keys()) resolve();
    this.#sleepers.clear();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

let clock: HeldClock;
let services: Map<string, Service>;
let streams: OpenStreams;
let cut: string[];

const setUp = (graceMs = GRACE_MS) => {
  clock = new HeldClock();
  services = new Map();
  streams = new OpenStreams({ services, graceMs, clock });
  cut = [];
  exportWeb();
};

beforeEach(() => setUp());

function exportWeb(annotations: Record<string, string> = {}): void {
  services.set("shop/web", {
    metadata: {
      namespace: "shop",
      name: "web",
      annotations: { [ANNOTATIONS.export]: "true", ...annotations },
    },
    spec: { clusterIP: "10.0.0.1", ports: [{ port: 80 }, { port: 81 }] },
  });
  streams.review("shop/web");
}

function unexportWeb(): void {
  services.delete("shop/web");
  streams.review("shop/web");
}

/** Opens a stream, known as `consumer port`. */
function open(consumer = "east", port = 80): () => void {
  return streams.add({ service: "shop/web", port, consumer }, () =>
    cut.push(`${consumer} ${port}`),
  );
}

describe("streams whose Service is unexported", () => {
  test("are cut when the grace has passed, and not before", async () => {
    open();
    open();
    unexportWeb();
    expect(cut).toEqual([]);
    await clock.pass();
    expect(cut).toEqual(["east 80", "east 80"]);
  });

  test("are cut at once when there is no grace", () => {
    setUp(0);
    open();
    unexportWeb();
    expect(cut).toEqual(["east 80"]);
  });

  test("wait for one grace, however many they are and however often the Service changes", async () => {
    for (let count = 0; count < 100; count += 1) open();
    unexportWeb();
    unexportWeb();
    exportWeb({ [ANNOTATIONS.exportTo]: "north" });
    expect(clock.sleepers).toBe(1);
    await clock.pass();
    expect(cut).toHaveLength(100);
  });

  test("are spared when it is exported again in time, and have a whole grace the next time", async () => {
    open();
    unexportWeb();
    exportWeb();
    expect(clock.sleepers).toBe(0);
    await clock.pass();
    expect(cut).toEqual([]);
    unexportWeb();
    await clock.pass();
    expect(cut).toEqual(["east 80"]);
  });

  test("are forgotten when they end by themselves, and nothing is waited for any more", async () => {
    const forget = open();
    unexportWeb();
    forget();
    expect(clock.sleepers).toBe(0);
    exportWeb();
    open();
    forget();
    unexportWeb();
    await clock.pass();
    expect(cut).toEqual(["east 80"]);
  });

  test("are not cut once the gateway stops", async () => {
    open();
    unexportWeb();
    streams.stop();
    expect(clock.sleepers).toBe(0);
    await clock.pass();
    expect(cut).toEqual([]);
  });
});

test("only the consumers and ports that are not offered any more are cut", async () => {
  open("east", 80);
  open("east", 81);
  open("north", 80);
  exportWeb({ [ANNOTATIONS.exportTo]: "east", [ANNOTATIONS.exportPorts]: "80" });
  await clock.pass();
  expect(cut).toEqual(["east 81", "north 80"]);
});
