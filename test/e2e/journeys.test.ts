import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Bed } from "../bed/bed.ts";
import { adoptLocalBed } from "../bed/local-bed.ts";
import { poll } from "../bed/poll.ts";
import { attachBed } from "../bed/provider.ts";
import { Page } from "../docs/page.ts";
import {
  type ClusterSnapshot,
  differences,
  takeSettledSnapshot,
  takeSnapshot,
} from "../system/cluster-snapshot.ts";
import { findPreviousRelease } from "../system/previous-release.ts";
import { type Member, type System, systemOn } from "../system/system.ts";
import { upgradeTests } from "./journeys/upgrade.ts";

const GONE_TIMEOUT_MS = 20_000;
/** As the quickstart names it. */
const IMAGE = "localhost/isthmus:dev";

const previous = await findPreviousRelease();

let page: Page;
let bed: Bed | undefined;
let system: System | undefined;
let before: readonly ClusterSnapshot[] = [];
let failed = false;

beforeAll(() => {
  page = new Page({ path: "docs/quickstart.md" });
});

afterEach(({ task }) => {
  failed ||= task.result?.state === "fail";
});

afterAll(async () => {
  page.end();
  await system?.release();
  const logs = await bed?.down({ keepLogs: failed });
  if (logs !== undefined) process.stderr.write(`logs of every component: ${logs}\n`);
});

function current(): System {
  if (system === undefined) throw new Error("the quickstart has not brought its clusters up");
  return system;
}

function members(): Member[] {
  return [...current().bed.clusters.keys()].map((name) => current().member(name));
}

/** The page's sections in its order, and what a reader has after each. */
const STEPS: readonly (readonly [behaviour: string, section: string])[] = [
  ["installs Isthmus", "Install"],
  ["starts something to call", "Something to call"],
  ["joins two clusters with both kubeconfigs", "Join"],
  ["exports a Service, which a pod of the other cluster calls by name", "Export and call"],
  ["shows links, Services and gateways, and finds nothing wrong", "Look"],
  ["turns a Service to the other cluster while it has no endpoint of its own", "Fail over"],
  ["joins by a token, once", "Join by token"],
  ["gathers what a helper needs", "Gather"],
  ["unjoins and uninstalls", "Leave"],
];

describe("the quickstart, command by command", () => {
  it("brings up two clusters", async () => {
    await page.run("Two clusters");
    bed = attachBed(await page.variable("BED"));
    // If this process dies, the next bed removes this one.
    adoptLocalBed(bed.id);
    expect([...bed.clusters.keys()]).toEqual(["west", "east"]);
    system = systemOn(bed, IMAGE);
    before = await Promise.all(members().map(({ client }) => takeSettledSnapshot(client)));
  });

  it.each(STEPS)("%s", async (_behaviour, section) => {
    expect(failed, "an earlier section failed").toBe(false);
    await page.run(section);
  });

  it("leaves both clusters as they were: every object of every API resource", async () => {
    expect(before.map(({ size }) => size > 0)).toEqual([true, true]);
    await Promise.all(
      members().map(async ({ name, client }, index) => {
        const sameAsBefore = async () => {
          const left = differences(before[index] ?? new Map(), await takeSnapshot(client));
          if (left.length === 0) return true;
          throw new Error(left.join("\n"));
        };
        await poll(`cluster ${name} is as it was`, sameAsBefore, { timeoutMs: GONE_TIMEOUT_MS });
      }),
    );
  });
});

// The history may have been left out of a copy of this work tree; then there is nothing to upgrade from.
describe.skipIf(previous === undefined)(`upgrading from ${previous ?? "no release"}`, () => {
  upgradeTests(previous ?? "", current);
});

describe("the quickstart's end", () => {
  it("takes the clusters down", async () => {
    expect(failed, "an earlier section failed, and its logs are wanted").toBe(false);
    await system?.release();
    await page.run("Take the clusters down");
    expect(() => attachBed(bed?.id ?? "")).toThrow("is up");
  });

  it("comes after every other command of the page", () => {
    const wanted = page.sections.flatMap(({ commands }) => commands.map(({ line }) => line));
    expect(page.ran.map(({ command }) => command.line)).toEqual(wanted);
  });
});
