import { beforeAll, describe, expect, test } from "vitest";
import { gatewayIdentity } from "../../../api/names.ts";
import { type CertificateAndKey, issueLeaf } from "../../../pki/authority.ts";
import { eventually } from "../fixtures.ts";
import { hear, startEcho } from "./loopback.ts";
import { oddLeaf } from "./odd-leaf.ts";
import { type Identity, createIdentity, startConsumer, startProvider } from "./two-gateways.ts";

let west: Identity;
let east: Identity;
let south: Identity;

beforeAll(async () => {
  [west, east, south] = await Promise.all([
    createIdentity("west"),
    createIdentity("east"),
    createIdentity("south"),
  ]);
});

/** A leaf that a cluster's CA issued for this name. */
async function leafOf({ ca }: Identity, { as }: { as: string }): Promise<CertificateAndKey> {
  return await issueLeaf(ca, { identity: gatewayIdentity(as), nowMs: Date.now() });
}

describe("an egress gateway carries nothing to a remote", () => {
  const identities = [gatewayIdentity("west")];
  test.each<[what: string, leaf: () => Promise<CertificateAndKey>, reason: string]>([
    [
      "of another CA",
      async () => await leafOf(south, { as: "west" }),
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ],
    [
      "of its own CA, as it is linked as well",
      async () => await leafOf(east, { as: "west" }),
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ],
    ["of another name", async () => await leafOf(west, { as: "north" }), "IdentityMismatch"],
    [
      "with two names",
      async () =>
        await oddLeaf({
          identities: [...identities, gatewayIdentity("north")],
          issuer: west.ca,
        }),
      "IdentityMismatch",
    ],
    [
      "with a certificate for clients only",
      async () => await oddLeaf({ identities, issuer: west.ca, usages: ["clientAuth"] }),
      "INVALID_PURPOSE",
    ],
    [
      "with a certificate for no named use",
      async () => await oddLeaf({ identities, issuer: west.ca, usages: [] }),
      "IdentityMismatch",
    ],
    [
      "with a leaf issued by a leaf",
      async () => await oddLeaf({ identities, issuer: west.leaf }),
      "UNSPECIFIED",
    ],
  ])("%s", async (_what, leaf, reason) => {
    const remote = await startProvider({ ...west, leaf: await leaf() }, [east]);
    remote.export("web", [await startEcho()]);
    const consumer = startConsumer(east);
    consumer.link(west, remote.port);
    const port = await consumer.mirror("west", "web");
    await eventually(
      async () => {
        const { values } = await consumer.metrics.sessionFailures.get();
        expect(new Set(values.map(({ labels }) => labels.reason))).toEqual(new Set([reason]));
      },
      { describe: "the remote is refused" },
    );
    expect(await hear(port, "secret")).toBe("ECONNREFUSED");
    expect(await remote.registry.metrics()).not.toContain("isthmus_gateway_streams_total{");
  });
});
