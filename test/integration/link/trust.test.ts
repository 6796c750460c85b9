import { expect, test } from "vitest";
import { CA_SECRET_NAME, INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { type Peer, parsePeerSpec } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { parseLinkSpec } from "../../../api/link.ts";
import { mergeBundles, sameBundle } from "../../../pki/trust.ts";
import { eventually } from "../fixtures.ts";
import { createIdentity } from "../gateway/two-gateways.ts";
import { CONSUMER, PROVIDER, publishIdentity, useWorld } from "./clusters.ts";
import { consumerBundle, getLink, readyLink, readyStatus } from "./link-world.ts";

const world = useWorld();

function expectSameBundle(actual: string, expected: string): void {
  if (!sameBundle(actual, expected)) throw new Error("the bundles differ");
}

test("a CA that the provider adds to its bundle is added to the Link, which stays Ready", async () => {
  await readyLink(world());
  const { ca: next } = await createIdentity(PROVIDER);
  const bundle = mergeBundles([world().identity.ca.certificatePem, next.certificatePem]);
  await publishIdentity(world(), bundle);
  await eventually(
    async () => expectSameBundle(parseLinkSpec(await getLink(world())).trustBundle, bundle),
    { describe: "the Link has the provider's new bundle", timeoutMs: 40_000 },
  );
  expect(await readyStatus(world())).toBe("True");
  await publishIdentity(world());
});

test("a CA added to this cluster's bundle reaches the provider's Peer for it", async () => {
  await readyLink(world());
  const { ca: next } = await createIdentity(CONSUMER);
  const bundle = mergeBundles([await consumerBundle(world()), next.certificatePem]);
  await world().east.patch<Secret>(
    RESOURCES.secrets,
    { namespace: INSTALL_NAMESPACE, name: CA_SECRET_NAME },
    { data: { "ca.crt": Buffer.from(bundle).toString("base64") } },
    { type: "merge" },
  );
  await eventually(
    async () => {
      const key = { namespace: INSTALL_NAMESPACE, name: CONSUMER };
      const peer = await world().west.get<Peer>(RESOURCES.peers, key);
      expectSameBundle(parsePeerSpec(peer).trustBundle, bundle);
    },
    { describe: "the Peer has this cluster's new bundle", timeoutMs: 40_000 },
  );
  expect(sameBundle(await consumerBundle(world()), bundle)).toBe(true);
});
