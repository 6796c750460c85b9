import { afterAll, afterEach, beforeAll, describe } from "vitest";
import { CONFIG_MAP_NAME, INSTALL_NAMESPACE } from "../../api/names.ts";
import type { ConfigMap } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import { link } from "../system/link-command.ts";
import { createNamespaces, installEverywhere, type Member, startSystem } from "../system/system.ts";
import { bedGoesTests, bedTests } from "./system/bed.ts";
import { lifeTests } from "./system/life.ts";
import { monitoringTests } from "./system/monitoring.ts";
import { rotationTests } from "./system/rotation.ts";
import { troubleTests } from "./system/trouble.ts";
import type { World } from "./system/world.ts";

/** The least there is. */
const OVERLAP_SECONDS = 10;

let world: World | undefined;
let failed = false;

/** What the controllers find when they start; `link install` keeps it. */
async function setOverlap({ client }: Member): Promise<void> {
  await client.create<ConfigMap>(RESOURCES.configMaps, {
    metadata: { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME },
    data: { caOverlapSeconds: String(OVERLAP_SECONDS) },
  });
}

beforeAll(async () => {
  const system = await startSystem({
    clusters: [
      { name: "west", nodes: 1, proxyMode: "iptables" },
      // Here no attempt may hang, which kube-proxy's iptables mode cannot promise: docs/adr/0008.
      { name: "east", nodes: 1, proxyMode: "nftables" },
    ],
  });
  const [west, east] = [system.member("west"), system.member("east")];
  world = { system, west, east };
  await createNamespaces([west, east], INSTALL_NAMESPACE);
  await Promise.all([west, east].map(setOverlap));
  await installEverywhere(system);
  await link(system.bed, "join", "west", "--context", "east", "--timeout", "150s");
});

afterEach(({ task }) => {
  failed ||= task.result?.state === "fail";
});

afterAll(async () => {
  const logs = await world?.system.down({ keepLogs: failed });
  if (logs !== undefined) process.stderr.write(`logs of every component: ${logs}\n`);
});

function current(): World {
  if (world === undefined) throw new Error("the system is up only while tests run");
  return world;
}

const bed = () => current().system.bed;

describe("the bed", () => {
  bedTests(bed, () => current().system.image);
});
describe("a joined pair of clusters", () => {
  lifeTests(current);
});
describe("a caller of a mirror sees no failure", () => {
  rotationTests(current);
});
describe("Prometheus, with the component monitoring", () => {
  monitoringTests(current);
});
describe("an operator who looks for a fault", () => {
  troubleTests(current);
});
describe("the bed, at its end", () => {
  bedGoesTests(bed, () => failed);
});
