import { describe, expect, test } from "vitest";
import { EXIT_CODES } from "../cli-error.ts";
import { installationRecord, type Manifest, renderManifests } from "../install/manifests.ts";
import { planUpgrade, type Present, runningOf, type Wishes } from "./upgrade-plan.ts";

const NOW = recordOf(await renderManifests({ clusterName: "west" }));
const DEFAULT_IMAGE = runningOf(await givenDeployment()).image;

function recordOf(manifests: readonly Manifest[]) {
  const config = manifests.find(({ object }) => object.metadata.name === "isthmus-config");
  return installationRecord(config?.object ?? { metadata: { name: "none" } });
}

async function givenDeployment() {
  const manifests = await renderManifests({ clusterName: "west" });
  const found = manifests.find(({ object }) => object.kind === "Deployment");
  return found?.object ?? { metadata: { name: "none" } };
}

function present({
  record = {},
  image = DEFAULT_IMAGE,
  replicas = 2,
}: {
  record?: Partial<Present["record"]>;
  image?: string | undefined;
  replicas?: number;
} = {}): Present {
  const running = { image, replicas };
  return {
    record: { ...NOW, ...record },
    deployments: new Map([
      ["isthmus-controller", running],
      ["isthmus-gateway", running],
    ]),
  };
}

async function plan(is: Present, wishes: Partial<Wishes> = {}) {
  return await planUpgrade(is, { force: false, ...wishes }, "west");
}

/** Image and replicas that a plan gives a Deployment. */
function planned(manifests: readonly Manifest[], name = "isthmus-gateway") {
  const found = manifests.find(
    ({ object }) => object.kind === "Deployment" && object.metadata.name === name,
  );
  return found && runningOf(found.object);
}

describe("an upgrade", () => {
  test("to what is there changes nothing", async () => {
    const { changes, clusterName } = await plan(present());
    expect([clusterName, changes]).toEqual(["west", []]);
  });

  test("says from which version to which it goes", async () => {
    const older = await plan(present({ record: { version: "0.1.7" } }));
    expect(older.changes).toEqual([`version: 0.1.7 → ${NOW.version}`]);
    const unrecorded = await plan(present({ record: { version: undefined } }));
    expect(unrecorded.changes).toEqual([`version: before 0.2.0 → ${NOW.version}`]);
  });

  test("does not go back to an earlier version, unless forced", async () => {
    const later = present({ record: { version: "99.0.0" } });
    await expect(plan(later)).rejects.toThrow(/version 99\.0\.0 is installed/);
    expect((await plan(later, { force: true })).changes).toEqual([
      `version: 99.0.0 → ${NOW.version}`,
    ]);
  });

  test("keeps components and namespaces, until others are wished", async () => {
    const record = { components: ["nodeport", "restricted-namespaces"], namespaces: ["shop"] };
    const kept = await plan(present({ record }));
    expect(kept.record).toMatchObject(record);
    expect(kept.changes).toEqual([]);
    const changed = await plan(present({ record }), { components: [], namespaces: [] });
    expect(changed.record).toMatchObject({ components: [], namespaces: [] });
    expect(changed.changes).toEqual([
      "components: nodeport, restricted-namespaces → none",
      "namespaces: shop → all",
    ]);
  });

  test("asks what is to stay where a component is not of this version", async () => {
    const later = present({ record: { components: ["ha", "of-later"], version: "99.0.0" } });
    await expect(plan(later, { force: true })).rejects.toMatchObject({
      message: expect.stringContaining("component of-later is installed"),
      fix: "name those that are to stay with --components ha",
    });
    const { record } = await plan(later, { force: true, components: ["ha"] });
    expect(record.components).toEqual(["ha"]);
  });

  test("keeps replicas that somebody chose, and a budget that lets one of one be drained", async () => {
    const { manifests, changes } = await plan(present({ replicas: 1 }));
    expect(planned(manifests)?.replicas).toBe(1);
    expect(changes).toEqual([]);
    const budgets = manifests.filter(({ object }) => object.kind === "PodDisruptionBudget");
    expect(budgets.map(({ object }) => object)).toMatchObject([
      { spec: { minAvailable: 0 } },
      { spec: { minAvailable: 0 } },
    ]);
    const wished = await plan(present({ replicas: 1 }), { replicas: 4 });
    expect(planned(wished.manifests)?.replicas).toBe(4);
  });

  test("gives the replicas of a component that comes, where nobody had chosen others", async () => {
    const usual = await plan(present(), { components: ["ha"] });
    const own = await renderManifests({ clusterName: "west", components: ["ha"] });
    expect(planned(usual.manifests)?.replicas).toBe(planned(own)?.replicas);
    const scaled = await plan(present({ replicas: 7 }), { components: ["ha"] });
    expect(planned(scaled.manifests)?.replicas).toBe(7);
  });

  test("takes the image of its own version from where the one before was", async () => {
    const before = present({ record: { version: "0.1.0" }, image: "localhost/isthmus:0.1.0" });
    const { manifests, changes } = await plan(before);
    expect(planned(manifests)?.image).toBe(DEFAULT_IMAGE);
    expect(changes).toContain(
      `image of isthmus-gateway: localhost/isthmus:0.1.0 → ${DEFAULT_IMAGE}`,
    );
  });

  test("keeps any image while the version stays, and asks for it when that changes", async () => {
    const image = "registry.example:5000/mirror/isthmus@sha256:00";
    expect(planned((await plan(present({ image }))).manifests)?.image).toBe(image);
    const other = present({ image, record: { version: "0.1.0" } });
    await expect(plan(other)).rejects.toMatchObject({
      exitCode: EXIT_CODES.usage,
      fix: "name it with --image",
    });
    const named = await plan(other, { image: "registry.example:5000/mirror/isthmus:new" });
    expect(planned(named.manifests)?.image).toBe("registry.example:5000/mirror/isthmus:new");
  });

  test("refuses where the cluster's name is lost", async () => {
    const nameless = present({ record: { clusterName: undefined } });
    await expect(plan(nameless)).rejects.toThrow(/does not say the cluster's name/);
  });
});
