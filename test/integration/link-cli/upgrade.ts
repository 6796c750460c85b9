import { beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import {
  CLI_FIELD_MANAGER,
  CONTROLLER_FIELD_MANAGER,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject, Service } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { type ClusterAccess, openCluster } from "../../../cmd/link/cluster-access.ts";
import { renderManifests } from "../../../cmd/link/install/manifests.ts";
import { waitForDefinitions } from "../../../cmd/link/install/wait-for-installation.ts";
import { providerObjects, withBody } from "../../../cmd/link/join/provider-objects.ts";
import { silentReporter } from "../../../cmd/link/reporter.ts";
import { upgrade, type UpgradeOptions } from "../../../cmd/link/upgrade/upgrade.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { createAuthority } from "../../../pki/authority.ts";
import { differences, takeSnapshot } from "../../system/cluster-snapshot.ts";
import { recordingReporter } from "./cli-bed.ts";
import { clusters } from "./lifecycle-bed.ts";
import { failureOf, inSystem } from "./join-bed.ts";

const { signal } = new AbortController();

function options(changes: Partial<UpgradeOptions> = {}): UpgradeOptions {
  return {
    access: clusters.open("west"),
    force: false,
    dryRun: false,
    wait: false,
    timeoutMs: 20_000,
    reporter: recordingReporter(),
    clock: systemClock,
    signal,
    ...changes,
  };
}

/** As `kubectl apply` writes an object that is not there. */
async function kubectlApply({ client }: ClusterAccess, resource: Resource, object: KubeObject) {
  const { name: _name, ...where } = object.metadata;
  await client.request({
    method: "POST",
    path: resourcePath(
      resource,
      where.namespace === undefined ? {} : { namespace: where.namespace },
    ),
    query: { fieldManager: "kubectl-client-side-apply" },
    body: object,
  });
}

/** Writes to each object just before the first patch of it, so that what was read of it is out of date. */
function disturbed(access: ClusterAccess): ClusterAccess {
  const seen = new Set<string>();
  const patch: KubeClient["patch"] = async (resource, key, body, patching) => {
    const id = `${resource.kind} ${key.name}`;
    if (!seen.has(id)) {
      seen.add(id);
      const note = { metadata: { annotations: { "example.com/meanwhile": "written" } } };
      await access.client.patch(resource, key, note, { type: "merge", fieldManager: "others" });
    }
    return await access.client.patch(resource, key, body, patching);
  };
  const client = new Proxy(access.client, {
    get(target, name) {
      if (name === "patch") return patch;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  return { ...access, client };
}

interface Gateway extends KubeObject {
  spec: {
    replicas: number;
    template: {
      spec: {
        containers: [{ image: string; env: { name: string }[]; volumeMounts?: unknown[] }];
      };
    };
  };
}

async function gateway(): Promise<Gateway> {
  const { client } = clusters.open("west");
  return await client.get<Gateway>(RESOURCES.deployments, inSystem("isthmus-gateway"));
}

async function config(): Promise<ConfigMap> {
  const { client } = clusters.open("west");
  return await client.get<ConfigMap>(RESOURCES.configMaps, inSystem("isthmus-config"));
}

async function exists(resource: Resource, key: { name: string; namespace?: string }) {
  return (await clusters.open("west").client.find(resource, key)) !== undefined;
}

/** A release before 0.2.0, as kubectl applied it from files, and what people did to it since. */
async function installPrevious(access: ClusterAccess): Promise<void> {
  const manifests = await renderManifests({
    clusterName: "far-west",
    image: "localhost/isthmus:previous",
  });
  for (const { resource, object } of manifests) {
    delete object.metadata.labels?.["app.kubernetes.io/version"];
    if (object.metadata.name === "isthmus-config") {
      await kubectlApply(access, resource, withBody(object, { data: { clusterName: "far-west" } }));
      continue;
    }
    const { spec } = object as Partial<Gateway>;
    // Something that this version has no more.
    spec?.template?.spec.containers[0].env.push({ name: "OF_THE_PREVIOUS" });
    await kubectlApply(access, resource, object);
  }
  const wait = { access, timeoutMs: 20_000, reporter: silentReporter, clock: systemClock, signal };
  await waitForDefinitions(wait);
  const { client } = access;
  const edit = { type: "merge", fieldManager: "kubectl-edit" } as const;
  const overlap = { data: { caOverlapSeconds: "60" } };
  await client.patch(RESOURCES.configMaps, inSystem("isthmus-config"), overlap, edit);
  const scale = { spec: { replicas: 3 } };
  await client.patch(RESOURCES.deployments, inSystem("isthmus-gateway"), scale, edit);
  const annotated = { metadata: { annotations: { "example.com/owner": "us" } } };
  await client.patch(RESOURCES.deployments, inSystem("isthmus-gateway"), annotated, edit);
}

/** Begins with a cluster in which nothing of ours is, and leaves an installation in it. */
export function upgradeTests(): void {
  test("link upgrade refuses where Isthmus is not installed", async () => {
    const failure = await failureOf(upgrade(options()));
    expect(failure.fix).toBe("link install --context west");
  });

  describe("link upgrade", () => {
    beforeAll(async () => {
      const access = openCluster({ kubeconfig: clusters.kubeconfigPath(), context: "west" });
      await installPrevious(access);
      await access.client.close();
    }, 60_000);

    test("says with --dry-run what would change, and changes nothing", async () => {
      const { client } = clusters.open("west");
      const before = await takeSnapshot(client);
      const reporter = recordingReporter();
      const { changes, changed } = await upgrade(options({ dryRun: true, reporter }));
      expect(changes[0]).toBe(`version: before 0.2.0 → ${packageJson.version}`);
      expect(changed).toContain("Deployment isthmus-gateway");
      expect(reporter.lines).toContain("would be changed: ConfigMap isthmus-config");
      const own = differences(before, await takeSnapshot(client)).filter(
        // Pods that no node runs are told of again and again.
        (line) => !/: (events|pods|replicasets|deployments)/.test(line),
      );
      expect(own).toEqual([]);
    });

    test("brings an installation made by kubectl to this version, and keeps what people chose", async () => {
      // And somebody writes to the same objects at the same time, as the cluster's controllers do.
      const access = disturbed(clusters.open("west"));
      const { clusterName, created } = await upgrade(options({ access }));
      expect([clusterName, created]).toEqual(["far-west", []]);
      expect((await config()).data).toEqual({
        clusterName: "far-west",
        caOverlapSeconds: "60",
        version: packageJson.version,
      });
      const { metadata, spec } = await gateway();
      expect(spec.replicas).toBe(3);
      expect(spec.template.spec.containers[0].image).toBe("localhost/isthmus:dev");
      expect(metadata.annotations?.["example.com/owner"]).toBe("us");
      const names = spec.template.spec.containers[0].env.map(({ name }) => name);
      expect(names).toContain("CLUSTER_NAME");
      expect(names).not.toContain("OF_THE_PREVIOUS");
    });

    test("changes nothing when it is given again", async () => {
      const before = (await gateway()).metadata.generation;
      const reporter = recordingReporter();
      const again = await upgrade(options({ reporter }));
      expect([again.created, again.changed, again.removed, again.changes]).toEqual([
        [],
        [],
        [],
        [],
      ]);
      expect((await gateway()).metadata.generation).toBe(before);
      expect(reporter.lines.join("\n")).toContain("nothing was to be changed");
    });

    test("adds components, keeps them, and removes what they brought", async () => {
      const { client } = clusters.open("west");
      const service = async () => {
        const found = await client.get<Service>(RESOURCES.services, inSystem("isthmus-gateway"));
        return found.spec?.type;
      };
      const added = await upgrade(options({ components: ["nodeport", "network-policy"] }));
      const policies = added.created.filter((title) => title.startsWith("NetworkPolicy"));
      expect(policies.length).toBeGreaterThan(0);
      expect(await service()).toBe("NodePort");
      // Somebody's own, named and labelled as if it were ours.
      const mine: KubeObject = {
        metadata: {
          ...inSystem("isthmus-mine"),
          labels: { "app.kubernetes.io/part-of": "isthmus" },
        },
      };
      await client.create(RESOURCES.configMaps, mine);
      expect((await upgrade(options())).changes).toEqual([]);
      expect(await service()).toBe("NodePort");
      const { removed, changes } = await upgrade(options({ components: [] }));
      expect(changes).toEqual(["components: network-policy, nodeport → none"]);
      expect(removed.map((title) => title.replace("isthmus-system/", ""))).toEqual(
        policies.toSorted(),
      );
      const left = await client.list(RESOURCES.networkPolicies, { namespace: INSTALL_NAMESPACE });
      expect(left.items).toEqual([]);
      expect(await service()).toBe("LoadBalancer");
      expect(await exists(RESOURCES.configMaps, inSystem("isthmus-mine"))).toBe(true);
    });

    test("refuses to go back, unless forced, and to touch what Helm installed", async () => {
      const { client } = clusters.open("west");
      const set = async (patch: object) => {
        const manager = { type: "merge", fieldManager: CLI_FIELD_MANAGER } as const;
        await client.patch(RESOURCES.configMaps, inSystem("isthmus-config"), patch, manager);
      };
      await set({ data: { version: "99.0.0" } });
      const failure = await failureOf(upgrade(options()));
      expect(failure.message).toContain("version 99.0.0 is installed");
      expect((await config()).data?.["version"]).toBe("99.0.0");
      await upgrade(options({ force: true }));
      expect((await config()).data?.["version"]).toBe(packageJson.version);
      await set({ metadata: { annotations: { "meta.helm.sh/release-name": "isthmus" } } });
      const helm = await failureOf(upgrade(options()));
      expect(helm.fix).toContain("helm upgrade isthmus");
      await set({ metadata: { annotations: { "meta.helm.sh/release-name": null } } });
    });
  });

  describe("link upgrade --namespaces", () => {
    test("narrows what consumers may read and where mirrors are, and widens it again", async () => {
      const { client } = clusters.open("west");
      for (const name of ["payments", "elsewhere"]) {
        await client.create<KubeObject>(RESOURCES.namespaces, { metadata: { name } });
        const mirror: Service = {
          metadata: {
            namespace: name,
            name: "web-north",
            labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "north" },
          },
          spec: { ports: [{ port: 80, targetPort: 10_000 }] },
        };
        await client.apply(RESOURCES.services, mirror, { fieldManager: CONTROLLER_FIELD_MANAGER });
      }
      const { certificatePem } = await createAuthority({ clusterName: "east", nowMs: Date.now() });
      const east = {
        clusterName: "east",
        gatewayIdentity: gatewayIdentity("east"),
        trustBundle: certificatePem,
      };
      for (const { resource, object } of providerObjects(east)) {
        await client.apply(resource, object, { fieldManager: CLI_FIELD_MANAGER });
      }
      const everywhere = [RESOURCES.clusterRoleBindings, { name: "isthmus-link-east" }] as const;

      const reporter = recordingReporter();
      const narrowed = await upgrade(options({ namespaces: ["payments", "not-there"], reporter }));
      expect(reporter.lines.join("\n")).toContain("namespace not-there does not exist");
      expect(narrowed.removed).toContain("ClusterRoleBinding isthmus-controller");
      expect(narrowed.created).toContain("RoleBinding isthmus-controller");
      expect(await exists(...everywhere)).toBe(false);
      const ofController = [RESOURCES.clusterRoleBindings, { name: "isthmus-controller" }] as const;
      expect(await exists(...ofController)).toBe(false);
      const name = "web-north";
      expect(await exists(RESOURCES.services, { namespace: "payments", name })).toBe(true);
      expect(await exists(RESOURCES.services, { namespace: "elsewhere", name })).toBe(false);

      const widened = await upgrade(options({ namespaces: [] }));
      expect(widened.created).toContain("ClusterRoleBinding isthmus-controller");
      expect(widened.removed.join(" ")).toContain("RoleBinding payments/isthmus-controller");
      expect(await exists(...everywhere)).toBe(true);
      expect((await config()).data).not.toHaveProperty("namespaces");
    });
  });
}
