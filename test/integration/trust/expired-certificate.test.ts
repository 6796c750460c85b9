import { expect, test } from "vitest";
import { gatewayIdentity } from "../../../api/names.ts";
import { issueLeaf } from "../../../pki/authority.ts";
import { PROVIDER, useWorld } from "../link/clusters.ts";
import {
  goodKubeconfig,
  putCredentials,
  putLink,
  startController,
  startGateway,
  untilReady,
  untilRefused,
} from "../link/link-world.ts";

const world = useWorld();
const DAY_MS = 86_400_000;

test.each([
  {
    name: "has expired",
    reason: "GatewayCertificateExpired",
    offsetMs: -2 * DAY_MS,
    says: "expired at",
    bound: DAY_MS,
  },
  {
    name: "is not valid yet",
    reason: "GatewayCertificateNotYetValid",
    offsetMs: DAY_MS,
    says: "not valid before",
    bound: -15 * 60_000,
  },
])(
  "a gateway whose certificate $name is refused with its time, and used once it has a good one",
  async ({ reason, offsetMs, says, bound }) => {
    const { ca, leaf } = world().identity;
    const nowMs = Date.now() + offsetMs;
    const bad = await issueLeaf(ca, { identity: gatewayIdentity(PROVIDER), nowMs });
    await startController(world());
    const gateway = await startGateway(world());
    gateway.ingress.setLeaf(bad);
    await putCredentials(world(), await goodKubeconfig(world()));
    await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });

    const message = await untilRefused(world(), "TrustValid", reason);
    const at = new Date(Math.floor((nowMs + bound) / 1000) * 1000).toISOString();
    expect(message).toContain(`${says} ${at}`);

    gateway.ingress.setLeaf(leaf);
    expect(await untilReady(world())).toBe("LinkReady");
  },
);
