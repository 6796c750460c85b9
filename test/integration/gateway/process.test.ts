import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { type ClusterName, adminClient, adminConfig, eventually } from "../fixtures.ts";
import { ClusterObjects } from "./cluster-objects.ts";
import { dialMirror, freeEgressPort, hear, startEcho } from "./loopback.ts";
import { type Identity, createIdentity, startProvider } from "./two-gateways.ts";

const MAIN = path.join(import.meta.dirname, "../../../cmd/gateway/gateway.ts");

let west: Identity;
let east: Identity;

beforeAll(async () => {
  [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
});

interface GatewayProcess {
  child: ChildProcess;
  output: Promise<string>;
  healthPort: number;
}

/** The gateway as a process of its own, killed with the test. */
async function startProcess(
  cluster: ClusterName,
  objects: ClusterObjects,
  flags: readonly string[] = [],
): Promise<GatewayProcess> {
  const folder = await mkdtemp(path.join(tmpdir(), "isthmus-gateway-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const kubeconfig = path.join(folder, "kubeconfig");
  await writeFile(kubeconfig, adminConfig(cluster).exportConfig());
  const healthPort = await freeEgressPort();
  const child = spawn(
    process.execPath,
    [
      MAIN,
      `--kubeconfig=${kubeconfig}`,
      `--namespace=${objects.namespace}`,
      "--host=127.0.0.1",
      "--ingress-port=0",
      `--health-port=${healthPort}`,
      ...flags,
    ],
    { env: { CLUSTER_NAME: cluster }, stdio: ["ignore", "pipe", "inherit"] },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, output: text(child.stdout), healthPort };
}

async function readiness({ healthPort }: GatewayProcess): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${healthPort}/readyz`);
  return `${response.status} ${(await response.text()).trim()}`;
}

test("on SIGTERM a gateway finishes what is open, takes nothing new, and exits with 0", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const objects = await ClusterObjects.create(adminClient("east"));
  await objects.setLeaf(east.leaf);
  await objects.addLink(west, provider.port);
  const port = await freeEgressPort();
  await objects.addMirror("web-west", "west/shop/web", port);
  const gateway = await startProcess("east", objects, ["--drain-delay=1000"]);
  await eventually(async () => expect(await hear(port, "x")).toBe("xend"), {
    describe: "the mirror answers",
    timeoutMs: 30_000,
  });
  expect(await readiness(gateway)).toBe("200 ok");
  const open = await dialMirror(port);
  open.write("one");
  expect(String(await once(open, "data"))).toBe("one");

  const exited = once(gateway.child, "exit");
  gateway.child.kill("SIGTERM");
  await eventually(async () => expect(await readiness(gateway)).toBe("503 draining"), {
    describe: "not ready any more",
  });
  expect(await hear(port, "x")).toBe("xend");
  await eventually(async () => expect(await hear(port, "x")).toBe("ECONNREFUSED"), {
    describe: "the listener is closed after the delay",
  });
  open.end("two");
  expect(String(await once(open, "data"))).toBe("two");
  expect(await exited).toEqual([0, null]);

  const lines = (await gateway.output).trim().split("\n");
  const messages = lines.map((line): unknown => Object(JSON.parse(line)).msg);
  expect(messages).toEqual(
    expect.arrayContaining(["gateway ready", "link open", "draining", "drained"]),
  );
});

test("streams that outlast the deadline of a drain are cut", async () => {
  const provider = await startProvider(west, [east]);
  provider.export("web", [await startEcho()]);
  const objects = await ClusterObjects.create(adminClient("east"));
  await objects.setLeaf(east.leaf);
  await objects.addLink(west, provider.port);
  const port = await freeEgressPort();
  await objects.addMirror("web-west", "west/shop/web", port);
  const flags = ["--drain-delay=0", "--drain-deadline=500"];
  const gateway = await startProcess("east", objects, flags);
  await eventually(async () => expect(await hear(port, "x")).toBe("xend"), {
    describe: "the mirror answers",
    timeoutMs: 30_000,
  });
  const open = await dialMirror(port);
  open.write("one");
  await once(open, "data");
  const exited = once(gateway.child, "exit");
  const reset = once(open, "error");
  gateway.child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
});
