import { describe, expect, it } from "vitest";
import { createAuthority } from "../../../pki/authority.ts";
import { PeerBundles } from "./peer-bundles.ts";

const nowMs = Date.now();
const [before, next] = await Promise.all([
  createAuthority({ clusterName: "east", nowMs }),
  createAuthority({ clusterName: "east", nowMs }),
]);
const both = before.certificatePem + next.certificatePem;

describe("what providers trust of this cluster", () => {
  it.each([
    { name: "one that was never looked at", seen: undefined, lacking: ["west"] },
    { name: "one with the CA before alone", seen: before.certificatePem, lacking: ["west"] },
    { name: "one whose bundle cannot be read", seen: "?", lacking: ["west"] },
    { name: "one with both", seen: both, lacking: [] },
  ])("says of $name whether it trusts the next CA", ({ seen, lacking }) => {
    const bundles = new PeerBundles();
    if (seen !== undefined) bundles.record("west", seen, both, 0);
    expect(bundles.lacking(["west"], next.certificatePem)).toEqual(lacking);
  });

  it("waits for no provider that has no Peer for us", () => {
    const bundles = new PeerBundles();
    bundles.record("west", undefined, both, 0);
    expect(bundles.lacking(["west"], next.certificatePem)).toEqual([]);
  });

  it("has a Peer looked at again when our bundle changed, when time has passed, and when the clock was set", () => {
    const bundles = new PeerBundles();
    expect(bundles.isDue("west", both, 0, 1000)).toBe(true);
    bundles.record("west", both, both, 5000);
    expect(bundles.isDue("west", both, 5999, 1000)).toBe(false);
    expect(bundles.isDue("west", before.certificatePem, 5999, 1000)).toBe(true);
    expect(bundles.isDue("west", both, 6000, 1000)).toBe(true);
    expect(bundles.isDue("west", both, 1000, 1000)).toBe(true);
  });

  it("forgets the Links that are gone", () => {
    const bundles = new PeerBundles();
    bundles.record("west", both, both, 0);
    bundles.keepOnly(new Set(["north"]));
    expect(bundles.lacking(["west"], next.certificatePem)).toEqual(["west"]);
  });
});
