import { beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  gatewayIdentity,
  LABELS,
  LINK_FINALIZER,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { ConfigMap, KubeObject, Secret, Service } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { type ClusterAccess, openCluster } from "../../../cmd/link/cluster-access.ts";
import { linkObject } from "../../../cmd/link/join/consumer-objects.ts";
import { providerObjects } from "../../../cmd/link/join/provider-objects.ts";
import type { Reporter } from "../../../cmd/link/reporter.ts";
import { uninstall } from "../../../cmd/link/uninstall/uninstall.ts";
import type { UninstallOptions } from "../../../cmd/link/uninstall/uninstall-options.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { createAuthority } from "../../../pki/authority.ts";
import {
  type ClusterSnapshot,
  differences,
  takeSettledSnapshot,
  takeSnapshot,
} from "../../system/cluster-snapshot.ts";
import { eventually } from "../fixtures.ts";
import { installed, recordingReporter } from "./cli-bed.ts";
import { clusters } from "./lifecycle-bed.ts";
import { failureOf, inSystem } from "./join-bed.ts";

/** Every object of every kind in the cluster, before anything of ours was there. */
let pristine: ClusterSnapshot;

function options(changes: Partial<UninstallOptions> = {}): UninstallOptions {
  return {
    access: clusters.open("west"),
    force: false,
    dryRun: false,
    timeoutMs: 30_000,
    reporter: recordingReporter(),
    clock: systemClock,
    signal: new AbortController().signal,
    ...changes,
  };
}

const asController = { fieldManager: CONTROLLER_FIELD_MANAGER };

/** What the controller makes as long as it runs, in its own namespace and in one of users. */
async function playController({ client }: ClusterAccess): Promise<void> {
  const secret: Secret = { metadata: inSystem("isthmus-ca"), data: { "tls.key": "a2V5" } };
  await client.apply(RESOURCES.secrets, secret, asController);
  await client.apply(RESOURCES.leases, { metadata: inSystem("isthmus-controller") }, asController);
  const mirror: Service = {
    metadata: {
      namespace: "shop",
      name: "web-east",
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "east" },
    },
    spec: { ports: [{ port: 80, targetPort: 10_000 }] },
  };
  await client.apply(RESOURCES.services, mirror, asController);
  const event: KubeEvent = {
    metadata: { namespace: "shop", name: "web.1" },
    eventTime: "2026-01-01T00:00:00.000000Z",
    reportingController: "isthmus.dev/isthmus-controller",
    reportingInstance: "isthmus-controller-0",
    action: "Mirror",
    reason: "Mirrored",
    type: "Normal",
    note: "Mirrored.",
    regarding: { apiVersion: "v1", kind: "Service", namespace: "shop", name: "web" },
  };
  await client.create(RESOURCES.events, event);
}

/** A Link to east with a controller's finalizer, and a Peer with the account of its consumer. */
async function joinEast({ client }: ClusterAccess): Promise<void> {
  const { certificatePem } = await createAuthority({ clusterName: "east", nowMs: Date.now() });
  const east = {
    clusterName: "east",
    gatewayIdentity: gatewayIdentity("east"),
    trustBundle: certificatePem,
  };
  const link = linkObject("east", east, {});
  link.object.metadata.finalizers = [LINK_FINALIZER];
  for (const { resource, object } of [...providerObjects(east), link]) {
    await client.apply(resource, object, { fieldManager: "test" });
  }
}

/** What changed since, but for Events: pods that no node runs are told of again and again. */
async function changesSince(before: ClusterSnapshot): Promise<string[]> {
  const after = await takeSnapshot(clusters.open("west").client);
  return differences(before, after).filter((line) => !/: events[. ]/.test(line));
}

async function exists(resource: Resource, key: { name: string; namespace?: string }) {
  return (await clusters.open("west").client.find(resource, key)) !== undefined;
}

function toldBy(reporter: Reporter & { lines: string[] }): string {
  return reporter.lines.join("\n");
}

/** Waits for what the cluster's own controllers make when they start. */
async function clusterHasStarted({ client }: ClusterAccess): Promise<void> {
  await eventually(
    async () => {
      const account = { namespace: "shop", name: "default" };
      await client.get(RESOURCES.serviceAccounts, account);
      await client.get(RESOURCES.configMaps, { namespace: "shop", name: "kube-root-ca.crt" });
      const admin = await client.get<KubeObject & { rules: unknown }>(RESOURCES.clusterRoles, {
        name: "admin",
      });
      expect(admin.rules).not.toBeNull();
      const path = "/apis/networking.k8s.io/v1/servicecidrs/kubernetes";
      const range = await client.request<KubeObject>({ method: "GET", path });
      expect(range.metadata.finalizers).toHaveLength(1);
    },
    { describe: "the cluster's own controllers have made what they make when they start" },
  );
}

/** Begins and ends with a cluster in which nothing of ours is. */
export function uninstallTests(): void {
  describe("link uninstall", () => {
    beforeAll(async () => {
      const access = openCluster({ kubeconfig: clusters.kubeconfigPath(), context: "west" });
      const shop: KubeObject = { metadata: { name: "shop" } };
      await access.client.create(RESOURCES.namespaces, shop);
      await clusterHasStarted(access);
      pristine = await takeSettledSnapshot(access.client);
      await installed(access);
      await joinEast(access);
      await playController(access);
      await access.client.close();
    }, 60_000);

    test("refuses while the cluster is joined to others, names each, and removes nothing", async () => {
      const { client } = clusters.open("west");
      const before = await takeSnapshot(client);
      const failure = await failureOf(uninstall(options()));
      expect(failure.message).toContain("Link east, by which this cluster uses what east exports");
      expect(failure.message).toContain("Peer east, a cluster that uses what this one exports");
      expect(failure.fix).toContain("link unjoin east --context west");
      expect(failure.fix).toContain("link unjoin --peer east --context west");
      expect(await changesSince(before)).toEqual([]);
    });

    test("says with --dry-run what it would remove, and removes nothing", async () => {
      const { client } = clusters.open("west");
      const before = await takeSnapshot(client);
      const reporter = recordingReporter();
      await uninstall(options({ force: true, dryRun: true, reporter }));
      for (const title of [
        "would be ended: Link east",
        "would be removed: Service shop/web-east",
        "would be removed: Deployment isthmus-system/isthmus-gateway",
        "would be removed: ClusterRoleBinding isthmus-link-east",
        "would be removed: CustomResourceDefinition links.isthmus.dev",
        "would be removed: Namespace isthmus-system",
      ]) {
        expect(toldBy(reporter)).toContain(title);
      }
      expect(await changesSince(before)).toEqual([]);
    });

    test("leaves what others made, in namespaces of its own too, and says what that is", async () => {
      const { client } = clusters.open("west");
      const made: KubeObject = {
        metadata: { name: "made-for-mirrors", annotations: { [ANNOTATIONS.createdFor]: "east" } },
      };
      await client.create(RESOURCES.namespaces, made);
      for (const namespace of ["isthmus-system", "made-for-mirrors"]) {
        const mine: ConfigMap = { metadata: { namespace, name: "of-others" }, data: { a: "b" } };
        await client.create(RESOURCES.configMaps, mine);
      }
      const release = {
        "meta.helm.sh/release-name": "ours",
        "meta.helm.sh/release-namespace": "ops",
      };
      await client.patch(
        RESOURCES.configMaps,
        inSystem("isthmus-config"),
        { metadata: { annotations: release } },
        { type: "merge" },
      );
      const reporter = recordingReporter();
      await uninstall(options({ force: true, reporter }));
      expect(toldBy(reporter)).toContain("helm uninstall ours --namespace ops --kube-context west");
      for (const namespace of ["isthmus-system", "made-for-mirrors"]) {
        expect(toldBy(reporter)).toContain(
          `namespace ${namespace} is left, since it holds what Isthmus did not make: ConfigMap ${namespace}/of-others`,
        );
        const key = { namespace, name: "of-others" };
        const kept = await client.get<ConfigMap>(RESOURCES.configMaps, key);
        expect(kept.data).toEqual({ a: "b" });
        await client.remove(RESOURCES.configMaps, key);
      }
      expect(await exists(RESOURCES.secrets, inSystem("isthmus-ca"))).toBe(false);
      expect(await exists(RESOURCES.serviceAccounts, inSystem("isthmus-gateway"))).toBe(false);
    });

    test("leaves nothing else: every object of every kind is as it was before", async () => {
      // Given again: it carries on where something kept it from the rest.
      await uninstall(options());
      const after = await takeSnapshot(clusters.open("west").client);
      expect(differences(pristine, after)).toEqual([]);
    });

    test("says so where there is nothing to remove", async () => {
      const reporter = recordingReporter();
      await uninstall(options({ reporter }));
      expect(toldBy(reporter)).toContain("nothing of Isthmus is in the cluster of context west");
    });
  });
}
