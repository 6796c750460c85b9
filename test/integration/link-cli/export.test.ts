import { describe, expect, test } from "vitest";
import {
  ANNOTATIONS,
  CLI_FIELD_MANAGER,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError } from "../../../cmd/link/cli-error.ts";
import {
  exportService,
  type ExportOptions,
  unexportService,
} from "../../../cmd/link/export/export.ts";
import { readStatus } from "../../../cmd/link/status/status.ts";
import { formatStatus } from "../../../cmd/link/status/status-table.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { createAuthority } from "../../../pki/authority.ts";
import { recordingReporter, useInstalledClusters } from "./cli-bed.ts";
import { condition, failureOf, inSystem } from "./join-bed.ts";

const clusters = useInstalledClusters("west");
const { signal } = new AbortController();

const WEB = { namespace: "default", name: "web" };

async function createService(name: string, changes: Partial<Service> = {}): Promise<void> {
  const { client } = clusters.open("west");
  await client.create<Service>(RESOURCES.services, {
    metadata: { name, namespace: WEB.namespace, ...changes.metadata },
    spec: {
      ports: [
        { name: "http", port: 80 },
        { name: "dns", port: 53, protocol: "UDP" },
      ],
      ...changes.spec,
    },
  });
}

function exportOptions(changes: Partial<ExportOptions> = {}): ExportOptions {
  const access = clusters.open("west");
  return { access, ...WEB, reporter: recordingReporter(), signal, ...changes };
}

async function annotationsOf(name: string): Promise<Record<string, string>> {
  const { client } = clusters.open("west");
  const service = await client.get<Service>(RESOURCES.services, { ...WEB, name });
  return service.metadata.annotations ?? {};
}

async function trusted(clusterName: string) {
  const { certificatePem } = await createAuthority({ clusterName, nowMs: Date.now() });
  return { trustBundle: certificatePem, clusterName };
}

describe("link export", () => {
  test("offers a Service to every Peer, and says that there is none yet", async () => {
    await createService(WEB.name);
    const reporter = recordingReporter();
    await exportService(exportOptions({ reporter }));
    expect(await annotationsOf("web")).toEqual({ [ANNOTATIONS.export]: "true" });
    const said = reporter.lines.join("\n");
    expect(said).toContain("Service default/web is exported: http (80)");
    expect(said).toContain("only TCP is mirrored: dns (53/UDP)");
    expect(said).toContain("no cluster is joined to this one yet");
  });

  test("says where the Service appears and which consumers are not joined", async () => {
    const { client } = clusters.open("west");
    const spec = { ...(await trusted("east")), identity: gatewayIdentity("east") };
    const peer: KubeObject & { spec: object } = { metadata: inSystem("east"), spec };
    await client.create(RESOURCES.peers, peer);
    const reporter = recordingReporter();
    await exportService(exportOptions({ reporter, to: ["east", "north"], ports: ["http"] }));
    expect(await annotationsOf("web")).toEqual({
      [ANNOTATIONS.export]: "true",
      [ANNOTATIONS.exportTo]: "east,north",
      [ANNOTATIONS.exportPorts]: "http",
    });
    const said = reporter.lines.join("\n");
    expect(said).toContain("it appears in east as web-west.default.svc");
    expect(said).toContain("not joined to this cluster yet: north");
  });

  test("replaces what was said before", async () => {
    await exportService(exportOptions());
    expect(await annotationsOf("web")).toEqual({ [ANNOTATIONS.export]: "true" });
  });

  test("leaves a Service as it is when it has no such port, and names those it has", async () => {
    const failure = await failureOf(exportService(exportOptions({ ports: ["https"] })));
    expect(failure.message).toContain("names no port of the Service (https)");
    expect(failure.fix).toContain("http (80), dns (53/UDP)");
    expect(await annotationsOf("web")).toEqual({ [ANNOTATIONS.export]: "true" });
  });

  test.each<[string, Partial<Service>, string]>([
    ["headless", { spec: { clusterIP: "None" } }, "headless"],
    [
      "external",
      { spec: { type: "ExternalName", externalName: "x.example" } as Service["spec"] & object },
      "ExternalName",
    ],
    [
      "mirror",
      { metadata: { name: "mirror", labels: { [LABELS.managedBy]: MANAGED_BY } } },
      "mirror",
    ],
  ])("refuses a Service that is %s", async (name, changes, word) => {
    await createService(name, changes);
    const failure = await failureOf(exportService(exportOptions({ name })));
    expect(failure.message).toContain(word);
    expect(await annotationsOf(name)).toEqual({});
  });

  test("names the Service that does not exist", async () => {
    const failure = await failureOf(exportService(exportOptions({ name: "wep" })));
    expect(failure).toBeInstanceOf(CliError);
    expect(failure.message).toBe("context west: Service default/wep does not exist");
  });
});

describe("link unexport", () => {
  test("takes away its annotations and no other", async () => {
    const { client } = clusters.open("west");
    const own = { metadata: { annotations: { "example.com/own": "kept" } } };
    await client.patch(RESOURCES.services, WEB, own, { type: "merge" });
    expect(await unexportService(exportOptions())).toBe(true);
    expect(await annotationsOf("web")).toEqual({ "example.com/own": "kept" });
    expect(await unexportService(exportOptions())).toBe(false);
  });
});

/** A Link with a mirror and a Service that is skipped, as the controller leaves them. */
async function arrangeLink(): Promise<void> {
  const { client } = clusters.open("west");
  const spec = {
    ...(await trusted("north")),
    credentialsSecretRef: { name: "isthmus-link-north" },
    gateway: { identity: gatewayIdentity("north") },
  };
  const link: KubeObject & { spec: object } = { metadata: inSystem("north"), spec };
  await client.apply(RESOURCES.links, link, { fieldManager: CLI_FIELD_MANAGER });
  const status = {
    conditions: [
      condition("ApiReachable", "True", "Synced", ""),
      condition("GatewayHealthy", "False", "GatewayUnreachable", "10.0.0.9 refuses"),
      condition("Ready", "False", "NotReady", "the gateway does not answer"),
    ],
    gatewayAddresses: ["10.0.0.9", "fd00::9"],
    gatewayPort: 15_008,
    mirroredServices: 1,
    skippedServices: 1,
  };
  const reported: KubeObject & { status: object } = { metadata: inSystem("north"), status };
  await client.apply(RESOURCES.links, reported, { fieldManager: "test", subresource: "status" });
  await createService("db-north", {
    metadata: {
      name: "db-north",
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "north" },
      annotations: {
        [ANNOTATIONS.source]: "north/default/db",
        [ANNOTATIONS.state]: "closed",
        [ANNOTATIONS.stateReason]: "LinkNotReady",
        [ANNOTATIONS.stateMessage]: "Link north is not Ready",
      },
    },
  });
  for (const [name, note] of [
    [
      "skipped",
      "Service shop/web of cluster north is not mirrored: this cluster has no namespace shop; create it.",
    ],
    [
      "history",
      "Service default/db of cluster north is not mirrored: this cluster has no namespace default.",
    ],
  ] as const) {
    const event: KubeEvent = {
      metadata: { name, namespace: INSTALL_NAMESPACE },
      eventTime: "2026-01-01T00:00:00.000000Z",
      type: "Warning",
      reason: "NamespaceMissing",
      action: "Mirror",
      note,
      reportingController: "isthmus.dev/controller",
      reportingInstance: "test",
      regarding: { apiVersion: "isthmus.dev/v1alpha1", kind: "Link", ...inSystem("north") },
    };
    await client.create(RESOURCES.events, event);
  }
}

describe("link status", () => {
  test("reports links, mirrors, what is skipped now, and peers", async () => {
    await arrangeLink();
    const report = await readStatus({ access: clusters.open("west"), signal });
    expect(report).toMatchObject({
      cluster: "west",
      links: [
        {
          name: "north",
          ready: "False",
          reason: "NotReady",
          mirrored: 1,
          skipped: 1,
          gateway: ["10.0.0.9:15008", "[fd00::9]:15008"],
        },
      ],
      mirrors: [
        { link: "north", source: "north/default/db", mirror: "default/db-north", state: "closed" },
      ],
      skipped: [{ link: "north", source: "north/shop/web", reason: "NamespaceMissing" }],
      peers: [{ name: "east" }],
    });
    // The namespace of db was missing once: it has a mirror by now.
    expect(report.skipped).toHaveLength(1);
  });

  test("prints the conditions that are not True in full", async () => {
    const report = await readStatus({ access: clusters.open("west"), linkName: "north", signal });
    const text = formatStatus(report, Date.now(), false);
    expect(text).toContain("north: GatewayHealthy is False (GatewayUnreachable): 10.0.0.9 refuses");
    expect(text).not.toContain("ApiReachable");
    expect(text).toMatch(
      /north\/default\/db +default\/db-north +closed +LinkNotReady: Link north is not Ready/,
    );
    expect(text).toMatch(/north\/shop\/web +NamespaceMissing/);
  });

  test("names the Links there are when asked for another", async () => {
    const attempt = readStatus({ access: clusters.open("west"), linkName: "nort", signal });
    const failure = await failureOf(attempt);
    expect(failure.message).toBe("context west: Link nort does not exist");
    expect(failure.fix).toBe("one of: north");
  });
});
