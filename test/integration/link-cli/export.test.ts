import { beforeAll, describe, expect, test } from "vitest";
import { ANNOTATIONS, gatewayIdentity, LABELS, MANAGED_BY } from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError } from "../../../cmd/link/cli-error.ts";
import {
  exportService,
  type ExportOptions,
  unexportService,
} from "../../../cmd/link/export/export.ts";
import { createAuthority } from "../../../pki/authority.ts";
import { recordingReporter } from "./cli-bed.ts";
import { failureOf, inSystem } from "./join-bed.ts";
import { useViewsStage } from "./views-stage.ts";

const stage = useViewsStage();
const { signal } = new AbortController();

const WEB = { namespace: "export-shop", name: "web" };

beforeAll(async () => {
  await stage.put(RESOURCES.namespaces, { metadata: { name: WEB.namespace } });
});

async function createService(name: string, changes: Partial<Service> = {}): Promise<void> {
  const { client } = stage.access;
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
  const { access } = stage;
  return { access, ...WEB, reporter: recordingReporter(), signal, ...changes };
}

async function annotationsOf(name: string): Promise<Record<string, string>> {
  const { client } = stage.access;
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
    expect(said).toContain("Service export-shop/web is exported: http (80)");
    expect(said).toContain("only TCP is mirrored: dns (53/UDP)");
    expect(said).toContain("no cluster is joined to this one yet");
  });

  test("says where the Service appears and which consumers are not joined", async () => {
    const spec = { ...(await trusted("west")), identity: gatewayIdentity("west") };
    const peer: KubeObject & { spec: object } = { metadata: inSystem("west"), spec };
    await stage.put(RESOURCES.peers, peer);
    const reporter = recordingReporter();
    await exportService(exportOptions({ reporter, to: ["west", "north"], ports: ["http"] }));
    expect(await annotationsOf("web")).toEqual({
      [ANNOTATIONS.export]: "true",
      [ANNOTATIONS.exportTo]: "west,north",
      [ANNOTATIONS.exportPorts]: "http",
    });
    const said = reporter.lines.join("\n");
    expect(said).toContain("it appears in west as web-east.export-shop.svc");
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
    expect(failure.message).toBe("context east: Service export-shop/wep does not exist");
  });
});

describe("link unexport", () => {
  test("takes away its annotations and no other", async () => {
    const { client } = stage.access;
    const own = { metadata: { annotations: { "example.com/own": "kept" } } };
    await client.patch(RESOURCES.services, WEB, own, { type: "merge" });
    expect(await unexportService(exportOptions())).toBe(true);
    expect(await annotationsOf("web")).toEqual({ "example.com/own": "kept" });
    expect(await unexportService(exportOptions())).toBe(false);
  });
});
