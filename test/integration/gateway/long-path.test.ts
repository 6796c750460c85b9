import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { INGRESS_PORT } from "../../../api/names.ts";
import type { SideRequest, Used } from "./long-path-side.ts";
import { LongPath } from "./long-path.ts";
import { createIdentity } from "./two-gateways.ts";

const SIDE = path.join(import.meta.dirname, "long-path-side.ts");

/** A side of the path as a process in its namespace. */
function startSide(netns: string): ChildProcess {
  const enter = ["nsenter", `--net=/run/netns/${netns}`, process.execPath, SIDE];
  const [command = "", ...args] = enter;
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  onTestFinished(async () => {
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  });
  return child;
}

async function ask(side: ChildProcess, request: SideRequest): Promise<Used> {
  side.send(request);
  const [answer]: Used[] = await once(side, "message");
  if (answer === undefined) throw new Error("no answer");
  return answer;
}

test("over 300 ms and 1 % loss every byte arrives and the link stays up; in a black hole every client ends", async () => {
  const longPath = await LongPath.create({ delayMs: 150, loss: 0 });
  const [west, east] = await Promise.all([createIdentity("west"), createIdentity("east")]);
  const [provider, consumer] = [startSide(longPath.far), startSide(longPath.near)];
  const port = INGRESS_PORT;
  await Promise.all([
    ask(provider, { do: "serve", west, east, port }),
    ask(consumer, { do: "link", west, east, address: longPath.farAddress, port }),
  ]);

  longPath.loss = 0.01;
  const used = await ask(consumer, { do: "use", seconds: 10, bytes: 20_000 });
  expect(longPath.dropped).toBeGreaterThan(20);
  expect(used.meanPingSeconds).toBeGreaterThan(0.3);
  expect(Object.keys(used.endings)).toEqual(["intact"]);
  expect(used.transitions).toEqual(["link closed: NoSession", "link open: LinkReady"]);
  expect(used.sessionFailures).toBe(0);

  longPath.loss = 1;
  const cut = await ask(consumer, { do: "useUntilRefused", boundMs: 10_000 });
  expect(Object.keys(cut.endings).toSorted()).toEqual(["ECONNREFUSED", "ECONNRESET"]);
  expect(cut.transitions.at(-1)).toBe("link closed: NoSession");

  longPath.loss = 0.01;
  await ask(consumer, { do: "untilOpen" });
  const back = await ask(consumer, { do: "use", seconds: 1, bytes: 20_000 });
  expect(Object.keys(back.endings)).toEqual(["intact"]);
}, 120_000);
