import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Case, calmAndBusy } from "./cases.ts";
import type { Credentials } from "./credentials.ts";
import { FLOODING, type FlooderSettings } from "./flooder-settings.ts";
import type { IsthmusSubject } from "./isthmus.ts";
import type { Loads, Values } from "./loads.ts";
import type { Subject } from "./subject.ts";
import type { World } from "./world.ts";

/** One leaves the two cores some time for the flood. */
const CONNECTIONS = 1;

/** Requests of one consumer while another opens and resets streams faster than it may, against the calm before. */
export function noisyCase(
  world: World,
  loads: Loads,
  credentials: Credentials,
  gateways: () => Promise<IsthmusSubject>,
  untilOpen: (subject: Subject) => Promise<void>,
): Case {
  let runs = 0;
  return {
    id: "noisy",
    group: "noisy",
    async measure(_subject, seconds): Promise<Values> {
      const pair = await gateways();
      const target = pair.target("web");
      const requests = () =>
        loads.requests(target, { connections: CONNECTIONS, seconds, countsErrors: true });
      // The flood before may have cost it its sessions.
      await untilOpen(pair);
      await requests();
      const calm = await requests();
      runs += 1;
      const flooder = await startFlooder(world, credentials, pair.ingressPort, `flooder-${runs}`);
      const busy = await requests();
      await world.end([flooder]);
      const { errors = 0 } = busy;
      return {
        ...calmAndBusy(calm, busy),
        errors,
        ...floodOf(readFileSync(flooder.logPath, "utf8")),
      };
    },
  };
}

function startFlooder(
  world: World,
  { neighbour, provider }: Credentials,
  port: number,
  label: string,
) {
  const settings: FlooderSettings = {
    address: world.address("hop2"),
    port,
    as: neighbour,
    to: provider,
  };
  const path = join(world.folder, "flooder.json");
  writeFileSync(path, JSON.stringify(settings), { mode: 0o600 });
  // What the flood costs its sender is not the gateway's doing.
  const argv = [
    "nice",
    "-n",
    "10",
    process.execPath,
    join(import.meta.dirname, "flooder.ts"),
    path,
  ];
  return world.startAndAwait(label, "client", argv, FLOODING);
}

/** What the flooder says at its end. */
function floodOf(log: string): Values {
  const lines = log.trimEnd().split("\n");
  const flood: Record<string, number> = JSON.parse(lines.at(-1) ?? "{}");
  return flood;
}
