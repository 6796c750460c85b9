import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { afterAll, beforeAll, expect, it } from "vitest";
import { joinTokenSchema } from "../../../api/join-token.ts";
import { CONTROLLER_NAME, GATEWAY_NAME, INSTALL_NAMESPACE } from "../../../api/names.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { BedNode } from "../../bed/bed.ts";
import { poll } from "../../bed/poll.ts";
import {
  askForFailover,
  exportBrokenServices,
  exportWeb,
  closeAndOpenLink,
  giveEndpoint,
  linkToNowhere,
  makeBrokenPeer,
  makeNamespaces,
  NAMESPACE,
  providerNamed,
  removeBrokenObjects,
  rotateAuthority,
} from "../../monitoring/broken-objects.ts";
import {
  cutOffOneGateway,
  type EndFault,
  floodIngress,
  guessJoinToken,
  signalAll,
  takeEgressPort,
} from "../../monitoring/broken-processes.ts";
import { queriesOf, readDashboard } from "../../monitoring/dashboard-queries.ts";
import { type Labels, Prometheus } from "../../monitoring/prometheus.ts";
import { COUNTS_LOWERED, LEVELS_MOVED, RANGE_SECONDS } from "../../monitoring/provoked-levels.ts";
import { alertsOf, hurried, readAlertGroups } from "../../monitoring/rules.ts";
import { selectorsOf } from "../../monitoring/series-selectors.ts";
import { gatewayAddress } from "../../system/journey.ts";
import { link } from "../../system/link-command.ts";
import { type Member, startCaller } from "../../system/system.ts";
import type { Caller } from "../../workload/caller.ts";
import type { World } from "./world.ts";

const SETTLE = { timeoutMs: 80_000, intervalMs: 500 };
/** Between two changes of something that changes without end. */
const CHURN_MS = 200;
const FLAP_MS = 1500;

/** A consumer that has a join token, whose secret somebody guesses. */
const GUEST = "guest";

const GROUPS = readAlertGroups();
const NAMES = alertsOf(GROUPS).map(({ alert }) => alert);
/** While every controller of west and every gateway of east hangs. */
const WHEN_ALL_HANG = [
  "IsthmusNoLeader",
  "IsthmusNoGateway",
  "IsthmusTargetDown",
  "IsthmusMirrorsClosed",
];
/** When they were killed after that. */
const WHEN_KILLED = ["IsthmusRestarting"];

/**
 * Tests that a real Prometheus finds data for every query, and that every alert fires by a real
 * fault. They leave the two clusters as they found them, but for what is still being removed.
 */
export function monitoringTests(world: () => World): void {
  let west: Member;
  let east: Member;
  let watches: readonly Prometheus[];
  let caller: Caller | undefined;
  const faults: EndFault[] = [];
  const over = new AbortController();
  const churned = new AbortController();

  beforeAll(async () => {
    const { system } = world();
    ({ west, east } = world());
    await east.client.patch(
      RESOURCES.links,
      { namespace: INSTALL_NAMESPACE, name: "west" },
      // Whatever tests before this one left: a gateway without a path is to be found soon.
      { spec: { probe: null } },
      { type: "merge" },
    );
    const groups = hurried(
      GROUPS,
      { rangeSeconds: RANGE_SECONDS, forSeconds: 1 },
      { ...LEVELS_MOVED, ...COUNTS_LOWERED },
    );
    watches = await Promise.all(
      [west, east].map((member) => Prometheus.start(system.bed, member, groups, over.signal)),
    );
    await makeNamespaces(west, east);
    await exportWeb(west, system.image);
    await exportBrokenServices(west, east);
    await askForFailover(east);
    const target = ["web", "deaf"].map((name) => `http://${name}-west.${NAMESPACE}.svc/`);
    caller = await startCaller(system, east, { namespace: NAMESPACE, name: "caller", target });
  });

  afterAll(async () => {
    churned.abort();
    over.abort();
    await caller?.stop();
    await Promise.all(faults.map(async (end) => await end()));
    await removeBrokenObjects(west, east);
    await link(world().system.bed, "token", "revoke", GUEST, "--context", "west");
  });

  /** Every alert that fires now, in either cluster. */
  async function firing() {
    return (await Promise.all(watches.map((watch) => watch.firing()))).flat();
  }

  const seen = new Map<string, Labels>();

  /** Waits until each of these alerts has fired, and notes what else does meanwhile. */
  async function untilFired(names: readonly string[]): Promise<boolean> {
    return await poll(
      "alerts fire",
      async () => {
        for (const { labels, annotations } of await firing()) {
          seen.set(labels["alertname"] ?? "", { ...labels, ...annotations });
        }
        const missing = names.filter((name) => !seen.has(name));
        if (missing.length === 0) return true;
        throw new Error(`all but ${missing.join(", ")}`);
      },
      SETTLE,
    );
  }

  /** Changes an object again and again until that is to end. */
  async function churn(
    { client }: Member,
    resource: (typeof RESOURCES)[keyof typeof RESOURCES],
    key: { namespace: string; name: string },
    patch: (count: number) => object,
    periodMs: number,
  ): Promise<void> {
    for (let count = 0; !churned.signal.aborted; count += 1) {
      await client.patch(resource, key, patch(count), { type: "merge" });
      await sleep(periodMs, undefined, { signal: churned.signal }).catch(() => undefined);
    }
  }

  async function floodAgain(node: BedNode, address: string): Promise<void> {
    while (!churned.signal.aborted) await floodIngress(node, address);
  }

  it("fires each alert of links, mirrors, failover and gateways by a fault of its kind", async () => {
    const { system } = world();
    const [node] = east.cluster.nodes;
    if (node === undefined) throw new Error("east has no node");
    const address = await gatewayAddress(west);
    await closeAndOpenLink(east);
    await Promise.all([
      linkToNowhere(east, node.address),
      makeBrokenPeer(west),
      rotateAuthority(west),
    ]);
    const token = await link(
      system.bed,
      "token",
      "issue",
      "--consumer",
      GUEST,
      "--context",
      "west",
    );
    await guessJoinToken(node, address, joinTokenSchema.parse(parse(token)));
    faults.push(await takeEgressPort(east, "empty-west"));
    await untilFired(["IsthmusMirrorsWithoutEndpoints"]);
    // Prometheus sees no increase to the first value of a series.
    await closeAndOpenLink(east);
    await giveEndpoint(west, "empty");
    faults.push(await cutOffOneGateway(east, node, address));
    const web = { namespace: NAMESPACE, name: "web" };
    const nowhere = { namespace: INSTALL_NAMESPACE, name: "nowhere" };
    const churning = [
      churn(
        west,
        RESOURCES.services,
        web,
        (count) => ({ metadata: { annotations: { "example.com/count": String(count) } } }),
        CHURN_MS,
      ),
      churn(
        east,
        RESOURCES.links,
        nowhere,
        (count) => ({ spec: providerNamed(count % 2 === 0 ? "east" : "nowhere") }),
        FLAP_MS,
      ),
      floodAgain(node, address),
    ];
    const later = new Set([...WHEN_ALL_HANG, ...WHEN_KILLED]);
    const expected = NAMES.filter((name) => !later.has(name));
    await expect(untilFired(expected)).resolves.toBe(true);
    churned.abort();
    await Promise.all(churning);
  });

  it("fires when nobody leads, no gateway serves, or a replica hangs or is killed", async () => {
    await signalAll(west, CONTROLLER_NAME, "SIGSTOP");
    await signalAll(east, GATEWAY_NAME, "SIGSTOP");
    await expect(untilFired(WHEN_ALL_HANG)).resolves.toBe(true);
    await signalAll(east, GATEWAY_NAME, "SIGCONT");
    await signalAll(west, CONTROLLER_NAME, "SIGKILL");
    await expect(untilFired(WHEN_KILLED)).resolves.toBe(true);
  });

  it("has fired every alert, each with words that were filled in", () => {
    expect([...seen.keys()].toSorted()).toEqual(NAMES.toSorted());
    const words = [...seen.values()].flatMap(({ summary, description }) => [summary, description]);
    expect(words.filter((text) => /error expanding|<no value>| {2}|\(\)/.test(text ?? ""))).toEqual(
      [],
    );
  });

  it("finds data for every query of the dashboard and for all that alerts read", async () => {
    const queries = queriesOf(readDashboard(), RANGE_SECONDS).map(
      ({ panel, legend, expr }) => [`${panel}: ${legend}`, expr] as const,
    );
    const selectors = alertsOf(GROUPS).flatMap(({ alert, expr }) =>
      selectorsOf(expr).map(({ text }) => [alert, text] as const),
    );
    const empty: string[] = [];
    for (const [title, expr] of [...queries, ...selectors]) {
      const series = await Promise.all(watches.map((watch) => watch.seriesSinceStart(expr)));
      if (series.flat().length === 0) empty.push(`${title}: ${expr}`);
    }
    expect(empty).toEqual([]);
  });
}
