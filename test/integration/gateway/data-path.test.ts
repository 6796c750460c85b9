import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { ANNOTATIONS, LABELS } from "../../../api/names.ts";
import { eventually } from "../fixtures.ts";
import { linkGateways } from "./linked-gateways.ts";
import { dialMirror, freeEgressPort, hear, heard, startBackend, startEcho } from "./loopback.ts";
import type { Provider } from "./two-gateways.ts";

describe("a connection to a mirrored port", () => {
  test("reaches an endpoint of the exported Service and brings back its answer", async () => {
    const { port } = await linkGateways([await startEcho()]);
    expect(await hear(port, "hello")).toBe("helloend");
  });

  test("is served when the server speaks first", async () => {
    const { port } = await linkGateways([
      await startBackend((socket) => socket.end("220 welcome\r\n")),
    ]);
    expect(await hear(port)).toBe("220 welcome\r\nend");
  });

  test("carries 64 MiB each way unchanged", async () => {
    const { port } = await linkGateways([await startEcho()]);
    const socket = await dialMirror(port);
    const [sent, received] = [createHash("sha256"), createHash("sha256")];
    socket.on("data", (chunk: Buffer) => received.update(chunk));
    for (let count = 0; count < 64; count += 1) {
      const chunk = randomBytes(1024 * 1024);
      sent.update(chunk);
      if (!socket.write(chunk)) await once(socket, "drain");
    }
    socket.end();
    await once(socket, "end");
    expect(received.digest("hex")).toBe(sent.digest("hex"));
  });

  test("ends in one direction while the other goes on", async () => {
    const backend = await startBackend((socket) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.on("end", () => socket.end(`got ${text} and its end`));
    });
    const { port } = await linkGateways([backend]);
    expect(await hear(port, "question")).toBe("got question and its endend");
  });

  test("can be written to after the server has ended its side", async () => {
    let received = "";
    const backend = await startBackend((socket) => {
      socket.end("bye");
      socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
    });
    const { port } = await linkGateways([backend]);
    const socket = await dialMirror(port);
    expect(await heard(socket)).toBe("byeend");
    socket.end("still here");
    await eventually(() => expect(received).toBe("still here"), { describe: "the late write" });
  });

  test("is reset when the server resets", async () => {
    const backend = await startBackend((socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    });
    const { port } = await linkGateways([backend]);
    const socket = await dialMirror(port);
    socket.write("x");
    expect(await heard(socket)).toBe("ECONNRESET");
  });

  test("resets the server's connection when the client resets", async () => {
    let ending = "";
    const backend = await startBackend((socket) => {
      socket.on("data", () => socket.write("ok"));
      socket.on("error", (error: NodeJS.ErrnoException) => (ending = error.code ?? "?"));
      socket.on("end", () => (ending = "end"));
    });
    const { consumer, port } = await linkGateways([backend]);
    const socket = await dialMirror(port);
    socket.write("x");
    await once(socket, "data");
    socket.resetAndDestroy();
    await eventually(() => expect(ending).toBe("ECONNRESET"), { describe: "the reset" });
    await eventually(() => expect(consumer.egress.activeConnections).toBe(0), {
      describe: "nothing is left of it",
    });
  });

  test("uses the other endpoint when the first does not answer", async () => {
    const echo = await startEcho();
    const dead = await freeEgressPort();
    const { port } = await linkGateways([dead, echo]);
    const answers = await Promise.all(Array.from({ length: 20 }, () => hear(port, "x")));
    expect(new Set(answers)).toEqual(new Set(["xend"]));
  });
});

describe("a connection is reset when the provider says no:", () => {
  test.each([
    ["the Service is not exported any more", {}, (provider: Provider) => provider.unexport("web")],
    ["it is not exported to this consumer", { [ANNOTATIONS.exportTo]: "north" }, () => {}],
    ["the port is not exported", { [ANNOTATIONS.exportPorts]: "admin" }, () => {}],
  ])("%s", async (_what, annotations, change) => {
    const { provider, port } = await linkGateways([await startEcho()], { annotations });
    change(provider);
    expect(await hear(port, "x")).toBe("ECONNRESET");
  });

  test("there is no ready endpoint, or none that answers", async () => {
    const none = await linkGateways([]);
    expect(await hear(none.port, "x")).toBe("ECONNRESET");
    const dead = await linkGateways([await freeEgressPort()]);
    expect(await hear(dead.port, "x")).toBe("ECONNRESET");
  });
});

describe("no port is listened on for a mirror", () => {
  test.each([
    [
      "that our controller did not write",
      (mirror: { metadata: { managedFields?: unknown[] } }) => {
        mirror.metadata.managedFields = [];
      },
    ],
    [
      "of a link that is not there",
      (mirror: { metadata: { labels?: Record<string, string> } }) => {
        mirror.metadata.labels = { ...mirror.metadata.labels, [LABELS.link]: "north" };
      },
    ],
    [
      "whose source is of another cluster than its link",
      (mirror: { metadata: { annotations?: Record<string, string> } }) => {
        mirror.metadata.annotations = {
          ...mirror.metadata.annotations,
          [ANNOTATIONS.source]: "north/shop/web",
        };
      },
    ],
  ])("%s", async (_what, change) => {
    const { consumer, port } = await linkGateways([await startEcho()]);
    const other = await consumer.mirror("west", "other", change);
    expect(consumer.egress.openPorts).toEqual([port]);
    expect(await hear(other)).toBe("ECONNREFUSED");
  });
});

test("the server's connection is reset when either gateway ends abruptly", async () => {
  const endings: string[] = [];
  const backend = await startBackend((socket) => {
    socket.on("data", () => socket.write("ok"));
    socket.on("error", (error: NodeJS.ErrnoException) => endings.push(error.code ?? "?"));
    socket.on("end", () => endings.push("end"));
  });
  for (const role of ["egress", "ingress"] as const) {
    const { provider, consumer, port } = await linkGateways([backend]);
    const socket = await dialMirror(port);
    socket.write("x");
    await once(socket, "data");
    if (role === "egress") consumer.egress.destroy();
    else provider.ingress.destroy();
    await eventually(() => expect(endings.splice(0)).toEqual(["ECONNRESET"]), {
      describe: `the reset by the ${role}`,
    });
  }
});

test("a client that does not read stops the server, and no memory grows for it", async () => {
  const chunk = Buffer.alloc(1024 * 1024);
  const wantedBytes = 200 * chunk.length;
  let server: Socket | undefined;
  const backend = await startBackend((socket) => {
    server = socket;
    const send = () => {
      while (socket.bytesWritten < wantedBytes && socket.write(chunk)) {
        // As fast as it takes it.
      }
      if (socket.bytesWritten >= wantedBytes) socket.end();
    };
    socket.on("drain", send);
    send();
  });
  const { port } = await linkGateways([backend]);
  const beforeBytes = process.memoryUsage().rss;
  const socket = await dialMirror(port);
  socket.pause();
  const taken = () => (server?.bytesWritten ?? 0) - (server?.writableLength ?? 0);
  let lastBytes = -1;
  let stillFor = 0;
  await eventually(
    () => {
      stillFor = taken() === lastBytes && taken() > 0 ? stillFor + 1 : 0;
      lastBytes = taken();
      if (stillFor < 20) throw new Error(`${lastBytes} bytes taken`);
    },
    { describe: "the server is stopped" },
  );
  // Kernel buffers on two loopback connections (up to 6 + 4 MiB each way) and one stream's window.
  expect(lastBytes).toBeLessThan(32 * 1024 * 1024);
  expect(process.memoryUsage().rss - beforeBytes).toBeLessThan(64 * 1024 * 1024);

  let receivedBytes = 0;
  socket.on("data", (data: Buffer) => (receivedBytes += data.length));
  socket.resume();
  await once(socket, "end");
  expect(receivedBytes).toBeGreaterThanOrEqual(wantedBytes);
});
