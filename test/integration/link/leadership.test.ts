import { expect, test } from "vitest";
import { INSTALL_NAMESPACE, LEADER_LEASE_NAME } from "../../../api/names.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { Lease } from "../../../kube/elector/lease.ts";
import { eventually } from "../fixtures.ts";
import { useWorld } from "./clusters.ts";
import {
  getLink,
  goodKubeconfig,
  putCredentials,
  putLink,
  startController,
  startGateway,
  untilCondition,
} from "./link-world.ts";

const world = useWorld();
const LEASE_KEY = { namespace: INSTALL_NAMESPACE, name: LEADER_LEASE_NAME };

async function untilLeading(controller: { leading: boolean }): Promise<void> {
  await eventually(() => expect(controller.leading).toBe(true), { describe: "a leader" });
}

test("of two replicas one leads, the other is ready, and takes over when the leader ends", async () => {
  const first = await startController(world(), "controller-0");
  await untilLeading(first);
  const second = await startController(world(), "controller-1");
  const gateway = await startGateway(world());
  await putCredentials(world(), await goodKubeconfig(world()));
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  await untilCondition(world(), "Ready", "True LinkReady");
  expect(second.leading).toBe(false);
  const readyz = await fetch(`http://127.0.0.1:${second.healthPort}/readyz`);
  expect(readyz.status).toBe(200);

  const before = await getLink(world());
  await first.stop();
  await untilLeading(second);
  gateway.ingress.destroy();
  await untilCondition(world(), "Ready", "False GatewayUnreachable");
  expect(before.status?.conditions?.every(({ status }) => status === "True")).toBe(true);
});

test("a replica that loses its Lease stops leading and asks for a new beginning", async () => {
  const controller = await startController(world(), "controller-0");
  await untilLeading(controller);
  const lease = await world().east.get<Lease>(RESOURCES.leases, LEASE_KEY);
  await world().east.replace<Lease>(RESOURCES.leases, {
    ...lease,
    spec: { ...lease.spec, holderIdentity: "someone-else" },
  });
  await controller.lost;
  expect(controller.leading).toBe(false);
  await world().east.remove(RESOURCES.leases, LEASE_KEY);
});

test("metrics, liveness and readiness are served", async () => {
  const controller = await startController(world());
  const get = async (path: string) =>
    await fetch(`http://127.0.0.1:${controller.healthPort}${path}`);
  expect((await get("/healthz")).status).toBe(200);
  expect((await get("/readyz")).status).toBe(200);
  expect(await (await get("/metrics")).text()).toContain("isthmus_leader");
});
