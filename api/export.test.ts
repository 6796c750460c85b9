import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideExport, isOfferedTo } from "./export.ts";
import { ANNOTATIONS, LABELS } from "./names.ts";
import type { Service } from "./objects.ts";

function service(annotations: Record<string, string>, spec: Service["spec"] = {}): Service {
  return {
    metadata: { namespace: "shop", name: "web", annotations },
    spec: {
      clusterIP: "10.0.0.1",
      ports: [
        { name: "http", port: 80 },
        { name: "grpc", port: 9000, protocol: "TCP" },
        { name: "dns", port: 53, protocol: "UDP" },
      ],
      ...spec,
    },
  };
}

const exported = { [ANNOTATIONS.export]: "true" };

describe("decideExport", () => {
  it("offers every TCP port to every peer by default and names what it leaves out", () => {
    const decision = decideExport(service(exported));
    expect(decision).toMatchObject({
      kind: "exported",
      offer: {
        consumers: "all",
        ports: [{ name: "http" }, { name: "grpc" }],
        omittedPorts: [{ name: "dns" }],
      },
    });
  });

  it.each(["false", "TRUE", "yes", ""])("does not export for the value %j", (value) => {
    expect(decideExport(service({ [ANNOTATIONS.export]: value })).kind).toBe("notExported");
  });

  it("limits the offer to the consumers and ports that are named", () => {
    const decision = decideExport(
      service({
        ...exported,
        [ANNOTATIONS.exportTo]: "east, north",
        [ANNOTATIONS.exportPorts]: "9000,nope",
      }),
    );
    if (decision.kind !== "exported") throw new Error(`decided ${decision.kind}`);
    expect(decision.offer.ports.map(({ name }) => name)).toEqual(["grpc"]);
    expect(decision.offer.unknownPorts).toEqual(["nope"]);
    expect(isOfferedTo(decision.offer, "east")).toBe(true);
    expect(isOfferedTo(decision.offer, "south")).toBe(false);
  });

  it.each([
    ["ExternalNameUnsupported", {}, { type: "ExternalName" }],
    ["HeadlessUnsupported", {}, { clusterIP: "None" }],
    ["NoTcpPorts", {}, { ports: [{ port: 53, protocol: "UDP" }] }],
    ["ExportPortsUnknown", { [ANNOTATIONS.exportPorts]: "admin" }, {}],
    ["ExportInvalid", { [ANNOTATIONS.exportPorts]: "" }, {}],
    ["ExportInvalid", { [ANNOTATIONS.exportTo]: "" }, {}],
    ["ExportInvalid", { [ANNOTATIONS.exportTo]: "East" }, {}],
    ["ExportInvalid", { [ANNOTATIONS.exportTo]: "a,".repeat(4096) }, {}],
  ])("refuses with %s", (reason, annotations, spec) => {
    const decision = decideExport(service({ ...exported, ...annotations }, spec));
    expect(decision).toMatchObject({ kind: "refused", refusal: { reason } });
  });

  it("refuses to export a mirror again", () => {
    const mirror = service(exported);
    mirror.metadata.labels = { [LABELS.managedBy]: "isthmus" };
    expect(decideExport(mirror)).toMatchObject({
      kind: "refused",
      refusal: { reason: "MirrorNotExportable" },
    });
  });

  it("never offers a port that is not TCP or not the Service's own, whatever the annotations say", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (exportTo, exportPorts) => {
        const subject = service({
          ...exported,
          [ANNOTATIONS.exportTo]: exportTo,
          [ANNOTATIONS.exportPorts]: exportPorts,
        });
        const decision = decideExport(subject);
        if (decision.kind !== "exported") return;
        expect(decision.offer.ports.length).toBeGreaterThan(0);
        for (const port of decision.offer.ports) {
          expect(port.protocol ?? "TCP").toBe("TCP");
          expect(subject.spec?.ports).toContain(port);
        }
      }),
    );
  });
});
