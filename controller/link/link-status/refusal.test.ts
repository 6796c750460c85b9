import { describe, expect, it } from "vitest";
import { type Link, parseLinkSpec } from "../../../api/link.ts";
import { ownClusterProblem, readSpec, rivalOf } from "./refusal.ts";

function link(name: string, creationTimestamp: string, clusterName?: string): Link {
  return {
    metadata: { name, creationTimestamp },
    spec: {
      ...(clusterName !== undefined && { clusterName }),
      credentialsSecretRef: { name: "s" },
      gateway: { identity: "spiffe://west/isthmus/gateway" },
      trustBundle: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
    },
  };
}

describe("of two Links with one cluster name", () => {
  const older = link("west", "2026-01-01T00:00:00Z");
  const younger = link("a-second", "2026-01-02T00:00:00Z", "west");

  it("the older wins", () => {
    expect(rivalOf(younger, [younger, older])?.metadata.name).toBe("west");
    expect(rivalOf(older, [younger, older])).toBeUndefined();
  });

  it("the name decides between Links of one second", () => {
    const twin = link("b", "2026-01-01T00:00:00Z", "west");
    expect(rivalOf(older, [older, twin])?.metadata.name).toBe("b");
    expect(rivalOf(twin, [older, twin])).toBeUndefined();
  });

  it("one whose spec cannot be read holds nothing", () => {
    const broken: Link = { ...link("b", "2025-01-01T00:00:00Z", "west"), spec: { clusterName: 7 } };
    expect(rivalOf(older, [older, broken])).toBeUndefined();
    expect(readSpec(broken)).toMatchObject({ reason: "LinkSpecInvalid" });
  });
});

describe("a Link to this cluster itself", () => {
  it.each([
    { name: "by its own name", from: link("east", "2026-01-01T00:00:00Z") },
    { name: "by its clusterName", from: link("other", "2026-01-01T00:00:00Z", "east") },
  ])("is refused $name", ({ from }) => {
    const spec = parseLinkSpec(from);
    expect(ownClusterProblem(from, spec, "east")?.reason).toBe("OwnClusterName");
    expect(ownClusterProblem(from, spec, "west")).toBeUndefined();
  });

  it("is another one when only its object has this cluster's name", () => {
    const from = link("east", "2026-01-01T00:00:00Z", "west");
    expect(ownClusterProblem(from, parseLinkSpec(from), "east")).toBeUndefined();
  });
});
