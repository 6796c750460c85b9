import { describe, expect, test } from "vitest";
import { CLI_FIELD_MANAGER, CONFIG_MAP_NAME, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { ConfigMap, Deployment, KubeObject, Pod } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { EXIT_CODES } from "../../../cmd/link/cli-error.ts";
import type { ClusterAccess } from "../../../cmd/link/cluster-access.ts";
import { install } from "../../../cmd/link/install/install.ts";
import { renderManifests } from "../../../cmd/link/install/manifests.ts";
import { uninstall } from "../../../cmd/link/uninstall/uninstall.ts";
import { eventually } from "../fixtures.ts";
import { installOptions, publishIdentity, recordingReporter } from "./cli-bed.ts";
import { clusters } from "./lifecycle-bed.ts";
import { uninstallTests } from "./uninstall.ts";
import { upgradeTests } from "./upgrade.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { failureOf } from "./join-bed.ts";

const DEPLOYMENT = { namespace: INSTALL_NAMESPACE, name: "isthmus-controller" };

/** uid and generation (or, for kinds without one, version) of every object of the manifests. */
async function versions({ client }: ClusterAccess): Promise<string[]> {
  const manifests = await renderManifests({ clusterName: "west" });
  return await Promise.all(
    manifests.map(async ({ resource, object }) => {
      const { metadata } = await client.get<KubeObject>(resource, object.metadata);
      const version = metadata.generation ?? metadata.resourceVersion ?? "";
      return `${resource.kind} ${metadata.name} ${metadata.uid ?? ""} ${version}`;
    }),
  );
}

// On one cluster: each begins with nothing of ours in it, and only the last leaves something.
uninstallTests();

describe("link install", () => {
  test("says with --dry-run what it would create, and creates nothing", async () => {
    const access = clusters.open("west");
    const { created } = await install(installOptions(access, { dryRun: true }));
    expect(created).toContain("Deployment isthmus-gateway");
    const namespace = { name: INSTALL_NAMESPACE };
    expect(await access.client.find(RESOURCES.namespaces, namespace)).toBeUndefined();
  });

  test("looks first whether the cluster can take it, and says what is in the way", async () => {
    const access = clusters.open("west");
    // This cluster has no node.
    const failure = await failureOf(install(installOptions(access, { preflight: true })));
    expect(failure.message).toContain("nothing was installed: node-platform: none of 0 nodes");
    expect(failure.fix).toContain("link check --pre --context west");
    const namespace = { name: INSTALL_NAMESPACE };
    expect(await access.client.find(RESOURCES.namespaces, namespace)).toBeUndefined();
  });

  test("creates everything, named after the context", async () => {
    const access = clusters.open("west");
    const reporter = recordingReporter();
    const installation = await install(installOptions(access, { reporter }));
    const manifests = await renderManifests({ clusterName: "west" });
    expect(installation.created).toHaveLength(manifests.length);
    const key = { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME };
    const config = await access.client.get<ConfigMap>(RESOURCES.configMaps, key);
    expect(config.data).toEqual({ clusterName: "west", version: packageJson.version });
    expect(reporter.lines.at(-1)).toContain("link join");
  });

  test("changes nothing when it is given again", async () => {
    const access = clusters.open("west");
    const before = await versions(access);
    const again = await install(installOptions(access));
    expect([again.created, again.changed]).toEqual([[], []]);
    expect(await versions(access)).toEqual(before);
  });

  test("puts back what someone changed, and only that", async () => {
    const access = clusters.open("west");
    const replicas = { spec: { replicas: 5 } };
    await access.client.patch(RESOURCES.deployments, DEPLOYMENT, replicas, { type: "merge" });
    const dryRun = await install(installOptions(access, { dryRun: true }));
    expect(dryRun.changed).toEqual(["Deployment isthmus-controller"]);
    const again = await install(installOptions(access));
    expect(again.changed).toEqual(["Deployment isthmus-controller"]);
    const after = await access.client.get<Deployment>(RESOURCES.deployments, DEPLOYMENT);
    expect(after.spec?.replicas).toBe(2);
  });

  test("keeps the name it was installed with, and refuses another", async () => {
    const access = { ...clusters.open("west"), contextName: "renamed" };
    expect((await install(installOptions(access))).clusterName).toBe("west");
    const failure = await failureOf(install(installOptions(access, { clusterName: "other" })));
    expect(failure.message).toContain("installed there under the name west");
    expect(failure.fix).toContain("--cluster-name");
  });

  test("finds the name in what is published, where its ConfigMap was lost", async () => {
    const access = { ...clusters.open("west"), contextName: "renamed" };
    await publishIdentity(access, "west");
    const metadata = { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME };
    await access.client.remove(RESOURCES.configMaps, metadata);
    // Settings that somebody puts there beforehand are kept, and are no installation.
    const settings: ConfigMap = { metadata, data: { caOverlapSeconds: "60" } };
    await access.client.create(RESOURCES.configMaps, settings);
    const { clusterName, changed } = await install(installOptions(access));
    expect([clusterName, changed]).toEqual(["west", ["ConfigMap isthmus-config"]]);
    const { data } = await access.client.get<ConfigMap>(RESOURCES.configMaps, metadata);
    expect(data).toMatchObject({ caOverlapSeconds: "60", clusterName: "west" });
  });

  test("leaves other components and versions to upgrade, and says so", async () => {
    const access = clusters.open("west");
    const before = await versions(access);
    const other = await failureOf(install(installOptions(access, { components: ["nodeport"] })));
    expect(other.fix).toBe("link upgrade --context west --components nodeport");
    const key = { namespace: INSTALL_NAMESPACE, name: CONFIG_MAP_NAME };
    const setVersion = async (version: string | null) => {
      await access.client.patch(
        RESOURCES.configMaps,
        key,
        { data: { version } },
        { type: "merge", fieldManager: CLI_FIELD_MANAGER },
      );
    };
    await setVersion(null);
    const older = await failureOf(install(installOptions(access)));
    expect(older.message).toContain("Isthmus of a version before 0.2.0 is installed there");
    expect(older.fix).toBe("link upgrade --context west");
    await setVersion(packageJson.version);
    expect((await install(installOptions(access))).created).toEqual([]);
    expect((await versions(access)).length).toBe(before.length);
  });

  test("makes pods that the restricted Pod Security level admits", async () => {
    const { client } = clusters.open("west");
    const options = { namespace: INSTALL_NAMESPACE };
    await eventually(
      async () => {
        const { items } = await client.list<KubeObject>(RESOURCES.pods, options);
        // Two replicas of each; a pod that is not admitted is never made.
        expect(items).toHaveLength(4);
      },
      { describe: "the pods of both Deployments exist" },
    );
  });

  test("names the pod and the reason when it is not rolled out in time", async () => {
    const access = clusters.open("west");
    await eventually(
      async () => {
        const options = { namespace: INSTALL_NAMESPACE };
        const { items } = await access.client.list<Pod>(RESOURCES.pods, options);
        const told = items.filter(({ status }) =>
          (status?.conditions ?? []).some(({ type }) => type === "PodScheduled"),
        );
        expect(told).toHaveLength(4);
      },
      { describe: "the scheduler has spoken of every pod" },
    );
    const waiting = install(installOptions(access, { wait: true, timeoutMs: 1000 }));
    const failure = await failureOf(waiting);
    expect(failure.exitCode).toBe(EXIT_CODES.notReady);
    expect(failure.message).toMatch(
      /isthmus-controller: 0 of 2 pods ready; Pod isthmus-controller-\S+ is Unschedulable: no nodes available/,
    );
    expect(failure.fix).toContain("describe pods");
  });

  test("interrupted the first time, is taken back", async () => {
    const access = clusters.open("west");
    await uninstall({ ...installOptions(access), force: false });
    const interruption = new AbortController();
    const reporter = recordingReporter();
    const progress = (text: string) => {
      reporter.progress(text);
      if (text.startsWith("isthmus-controller:")) interruption.abort(new Error("interrupted"));
    };
    const options = {
      wait: true,
      signal: interruption.signal,
      reporter: { ...reporter, progress },
    };
    const failure = await failureOf(install(installOptions(access, options)));
    expect(failure.exitCode).toBe(EXIT_CODES.interrupted);
    expect(reporter.lines).toContain("the installation was interrupted; it is taken back");
    for (const [resource, name] of [
      [RESOURCES.namespaces, INSTALL_NAMESPACE],
      [RESOURCES.clusterRoles, "isthmus-controller"],
      [RESOURCES.customResourceDefinitions, "links.isthmus.dev"],
    ] as const) {
      expect(await access.client.find(resource, { name })).toBeUndefined();
    }
  });
});

upgradeTests();
