import { beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../fixtures.ts";
import { hear, startEcho } from "./loopback.ts";
import { connectRequest, headers } from "./raw-frames.ts";
import { openRawSession } from "./raw-session.ts";
import { type Identity, createIdentity, startConsumer, startProvider } from "./two-gateways.ts";

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

/** A log kept in memory: its access lines, and what they hold but for times. */
function accessLog() {
  const lines: string[] = [];
  const streams = () =>
    lines
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter(({ msg }) => msg === "stream")
      .map(({ level: _level, time: _time, pid: _pid, hostname: _hostname, msg: _msg, ...rest }) => {
        expect(rest["durationMs"]).toBeTypeOf("number");
        const { durationMs: _durationMs, ...fields } = rest;
        return fields;
      });
  return { write: (line: string) => void lines.push(line), lines, streams };
}

/** East linked to west's `shop/web`, both with an access log. */
async function linked() {
  const [westLog, eastLog] = [accessLog(), accessLog()];
  const provider = await startProvider(west, [east], { log: westLog });
  const echo = await startEcho();
  provider.export("web", [echo]);
  const consumer = startConsumer(east, { log: eastLog, logLevel: "debug" });
  consumer.link(west, provider.port);
  const port = await consumer.mirror("west", "web");
  await consumer.untilOpen(port);
  return { provider, consumer, westLog, eastLog, port, echo };
}

/** The series of `isthmus_gateway_streams_total`, as text. */
async function counted(gateway: { registry: { metrics(): Promise<string> } }): Promise<string[]> {
  const lines = (await gateway.registry.metrics()).split("\n");
  return lines
    .filter((line) => line.startsWith("isthmus_gateway_streams_total{"))
    .map((line) => line.slice("isthmus_gateway_streams_total".length))
    .toSorted();
}

const series = (
  role: string,
  link: string,
  service: string,
  [result, reason]: readonly [result: string, reason: string],
  count = 1,
) =>
  `{role="${role}",link="${link}",service="${service}",result="${result}",reason="${reason}"} ${count}`;

describe("the access log has one line for each stream, with the same names in both roles", () => {
  test("of one that ended in order", async () => {
    const { westLog, eastLog, port, echo } = await linked();
    expect(await hear(port, "hello")).toBe("helloend");
    const common = {
      consumer: "east",
      namespace: "shop",
      service: "web",
      port: 80,
      result: "ended",
      reason: "",
      bytesToRemote: 5,
      bytesToLocal: 5,
    };
    await eventually(() => expect([...westLog.streams(), ...eastLog.streams()]).toHaveLength(2), {
      describe: "a line of either gateway",
    });
    expect(westLog.streams()).toEqual([
      { ...common, role: "ingress", link: "east", endpoint: `127.0.0.1:${echo}` },
    ]);
    expect(eastLog.streams()).toEqual([
      { ...common, role: "egress", link: "west", mirror: "shop/web-west", egressPort: port },
    ]);
  });

  test("of one that is refused", async () => {
    const { provider, westLog, eastLog, port } = await linked();
    provider.unexport("web");
    expect(await hear(port, "x")).toBe("ECONNRESET");
    const refusal = { result: "refused", reason: "NotExported", service: "web", port: 80 };
    expect(westLog.streams()).toMatchObject([{ role: "ingress", ...refusal }]);
    expect(eastLog.streams()).toMatchObject([{ role: "egress", ...refusal }]);
  });
});

test("nothing that a stranger says makes a line of the log long or unreadable", async () => {
  const log = accessLog();
  const provider = await startProvider(west, [east], { log });
  const session = await openRawSession({ port: provider.port, as: east, to: west });
  const long = `${"a".repeat(3500)}.svc:80`;
  await session.send(connectRequest(1, long));
  await session.send(
    headers(3, [
      [":method", "GET"],
      [":scheme", "https"],
      [":authority", "x"],
      [":path", `/${"p".repeat(3000)}`],
    ]),
  );
  expect(await session.status(1)).toBe(400);
  expect(await session.status(3)).toBe(405);
  expect(log.streams()).toMatchObject([
    { result: "refused", reason: "AuthorityInvalid", authority: `${"a".repeat(137)}…` },
    { result: "refused", reason: "MethodNotAllowed" },
  ]);
  expect(Math.max(...log.lines.map(({ length }) => length))).toBeLessThan(500);
});

describe("streams are counted by Service", () => {
  test("at all times, and by no Service that does not exist", async () => {
    const { provider, consumer, port } = await linked();
    expect(await hear(port, "x")).toBe("xend");
    const session = await openRawSession({ port: provider.port, as: east, to: west });
    for (let index = 0; index < 20; index += 1) {
      await session.send(connectRequest(2 * index + 1, `made-up-${index}.shop.svc:80`));
      expect(await session.status(2 * index + 1)).toBe(404);
    }
    expect(await counted(provider)).toEqual([
      series("ingress", "east", "", ["refused", "NotExported"], 20),
      series("ingress", "east", "shop/web", ["ended", ""]),
    ]);
    expect(await counted(consumer)).toEqual([series("egress", "west", "shop/web", ["ended", ""])]);
  });

  test("until it is unexported or its mirror goes, and sums do not fall then", async () => {
    const { provider, consumer, port } = await linked();
    expect(await hear(port, "x")).toBe("xend");
    provider.unexport("web");
    expect(await counted(provider)).toEqual([series("ingress", "east", "", ["ended", ""])]);
    consumer.state.mirrors.clear();
    consumer.update();
    expect(await counted(consumer)).toEqual([series("egress", "west", "", ["ended", ""])]);
  });
});
