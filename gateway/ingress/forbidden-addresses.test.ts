import { isIP } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProtectedTargets, canonicalAddress, forbidTargets } from "./forbidden-addresses.ts";

const forbids = (address: string) => forbidTargets(() => false)({ address, port: 80 });

describe("never connected to", () => {
  test.each([
    ["this host", ["0.0.0.0", "0.1.2.3", "::"]],
    ["loopback", ["127.0.0.1", "127.255.255.255", "::1"]],
    ["link-local", ["169.254.0.1", "169.254.169.254", "fe80::1", "febf::1", "fec0::1"]],
    ["multicast, reserved and broadcast", ["224.0.0.1", "240.0.0.1", "255.255.255.255", "ff02::1"]],
    [
      "metadata of clouds",
      ["192.0.0.192", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"],
    ],
    [
      "IPv4-compatible and mapped",
      ["::7f00:1", "::ffff:127.0.0.1", "::ffff:10.1.0.1", "::ffff:0:7f00:1"],
    ],
    ["NAT64", ["64:ff9b::7f00:1", "64:ff9b::10.1.0.1", "64:ff9b:1::7f00:1"]],
    ["6to4 and Teredo", ["2002:7f00:1::1", "2001::7f00:1"]],
    [
      "in loose notation",
      ["0177.0.0.1", "010.1.0.1", "127.1", "2130706433", "0x7f.1", "10.1.0.1 "],
    ],
    ["with a zone", ["fd00::1%eth0", "fe80::1%1"]],
    ["by name", ["localhost", "kubernetes.default", "example.com", ""]],
  ])("%s", (_what, addresses) => {
    expect(addresses.filter((address) => !forbids(address))).toEqual([]);
  });

  test("whatever is not the notation of an address, so that no resolver is ever asked", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV4Extended()), (text) => {
        fc.pre(isIP(text) === 0);
        expect(forbids(text)).toBe(true);
      }),
    );
  });
});

test("addresses of pods are connected to", () => {
  const usual = [
    "10.1.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "192.0.2.1",
    "fd00::1",
    "2600:1f00::1",
  ];
  expect(usual.filter(forbids)).toEqual([]);
});

test("a protected address is recognised however it is spelled, on every port", () => {
  const counts = new ProtectedTargets();
  counts.add(["fd00::a", "10.9.9.9", "not an address"]);
  const protecting = forbidTargets((target) => counts.has(target));
  for (const address of [
    "fd00::a",
    "FD00::A",
    "fd00:0:0:0:0:0:0:a",
    "fd00::0.0.0.10",
    "10.9.9.9",
  ]) {
    expect(protecting({ address, port: 1 })).toBe(true);
  }
  expect(protecting({ address: "10.9.9.10", port: 6443 })).toBe(false);
});

test("an address stays protected until the last object that has it is gone", () => {
  const counts = new ProtectedTargets();
  counts.add(["10.9.9.9"]);
  counts.add(["10.9.9.9"]);
  counts.remove(["10.9.9.9"]);
  expect(counts.has({ address: "10.9.9.9", port: 1 })).toBe(true);
  counts.remove(["10.9.9.9"]);
  expect(counts.has({ address: "10.9.9.9", port: 1 })).toBe(false);
});

test("of an address that others share, only the ports that are named are protected", () => {
  const counts = new ProtectedTargets();
  counts.add(["10.9.9.9"], [6443]);
  expect(counts.has({ address: "10.9.9.9", port: 6443 })).toBe(true);
  expect(counts.has({ address: "10.9.9.9", port: 443 })).toBe(false);
  counts.remove(["10.9.9.9"], [6443]);
  expect(counts.has({ address: "10.9.9.9", port: 6443 })).toBe(false);
});

test("every IPv6 address has one spelling", () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const canonical = canonicalAddress(text);
      expect(canonical).toBe(canonicalAddress(text.toUpperCase()));
      expect(canonicalAddress(canonical ?? "")).toBe(canonical);
    }),
  );
});
