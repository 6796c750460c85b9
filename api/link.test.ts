import { describe, expect, it } from "vitest";
import { TerminalError } from "./errors.ts";
import { clusterNameOf, parseLinkSpec, type Link } from "./link.ts";

const bundle = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

function link(spec: Record<string, unknown>): Link {
  return {
    metadata: { name: "west" },
    spec: {
      credentialsSecretRef: { name: "isthmus-link-west" },
      gateway: { identity: "spiffe://west/isthmus/gateway" },
      trustBundle: bundle,
      ...spec,
    },
  };
}

describe("parseLinkSpec", () => {
  it("fills in the defaults of the design", () => {
    const subject = link({});
    const spec = parseLinkSpec(subject);
    expect(spec.probe).toEqual({
      periodSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: 3,
      successThreshold: 2,
    });
    expect(spec.apiStalenessSeconds).toBe(300);
    expect(spec.mirror).toEqual({ nameTemplate: "{service}-{cluster}", createNamespaces: false });
    expect(clusterNameOf(subject, spec)).toBe("west");
  });

  it.each([
    ["spec.clusterName", { clusterName: "West" }],
    ["spec.trustBundle", { trustBundle: "" }],
    ["spec.gateway.port", { gateway: { identity: "spiffe://west/isthmus/gateway", port: 70_000 } }],
    ["spec.gateway.identity", { gateway: { identity: "https://west" } }],
    ["spec.mirror.nameTemplate", { mirror: { nameTemplate: "web" } }],
    ["spec.probe.periodSeconds", { probe: { periodSeconds: 0 } }],
  ])("names the field %s that is wrong", (field, spec) => {
    expect(() => parseLinkSpec(link(spec))).toThrow(TerminalError);
    expect(() => parseLinkSpec(link(spec))).toThrow(`Link west: ${field}`);
  });
});
