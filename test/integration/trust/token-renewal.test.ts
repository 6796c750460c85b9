import { expect, test } from "vitest";
import { INSTALL_NAMESPACE, linkServiceAccountName } from "../../../api/names.ts";
import type { KubeObject, Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { eventually } from "../fixtures.ts";
import { admitConsumer, CONSUMER, useWorld } from "../link/clusters.ts";
import {
  consumerBundle,
  goodKubeconfig,
  linkEvents,
  putCredentials,
  putLink,
  SECRET_KEY,
  startController,
  startGateway,
  untilReady,
} from "../link/link-world.ts";

const world = useWorld();

type Role = KubeObject & { rules?: { resources?: string[] }[] };

/** Takes the right to renew its token from the link's account. */
async function forbidRenewal(): Promise<void> {
  const key = { namespace: INSTALL_NAMESPACE, name: linkServiceAccountName(CONSUMER) };
  const { rules = [] } = await world().west.get<Role>(RESOURCES.roles, key);
  const rest = rules.filter(({ resources = [] }) => !resources.includes("serviceaccounts/token"));
  expect(rest.length).toBeLessThan(rules.length);
  await world().west.patch(RESOURCES.roles, key, { rules: rest }, { type: "merge" });
}

async function allowRenewal(): Promise<void> {
  await admitConsumer(world(), await consumerBundle(world()));
}

async function writtenKubeconfig(): Promise<string> {
  const { data = {} } = await world().east.get<Secret>(RESOURCES.secrets, SECRET_KEY);
  return Buffer.from(data["kubeconfig"] ?? "", "base64").toString();
}

/** A Ready link with a token of the shortest life, due at once, which the provider refuses to renew. */
async function linkRefusedRenewal() {
  const controller = await startController(world());
  const gateway = await startGateway(world());
  const kubeconfig = await goodKubeconfig(world(), 600);
  await forbidRenewal();
  const failed = async () => {
    const metrics = await controller.registry.metrics();
    return /renewals_total\{link="west",result="failed"\} (\d+)/.exec(metrics)?.[1] ?? "0";
  };
  const before = (await linkEvents(world(), "TokenRenewalFailed")).length;
  await putCredentials(world(), kubeconfig);
  await putLink(world(), { addresses: ["127.0.0.1"], port: gateway.port });
  await untilReady(world());
  await eventually(
    async () => {
      expect(Number(await failed())).toBeGreaterThan(0);
      expect((await linkEvents(world(), "TokenRenewalFailed")).length).toBeGreaterThan(before);
    },
    { describe: "a failed renewal is counted and told" },
  );
  return { kubeconfig, controller };
}

test("a renewal that the provider refuses is told, counted, and tried again until it succeeds", async () => {
  const { kubeconfig } = await linkRefusedRenewal();
  expect(await untilReady(world())).toBe("LinkReady");
  expect(await writtenKubeconfig()).toBe(kubeconfig);
  await allowRenewal();
  await eventually(
    async () => {
      if ((await writtenKubeconfig()) === kubeconfig) throw new Error("still the old token");
    },
    { describe: "the token is renewed", timeoutMs: 40_000 },
  );
  expect(await untilReady(world())).toBe("LinkReady");
});

test("credentials written by hand while a token cannot be renewed stay as they were written", async () => {
  const { controller } = await linkRefusedRenewal();
  const byHand = await goodKubeconfig(world(), 3600);
  await world().east.patch<Secret>(
    RESOURCES.secrets,
    SECRET_KEY,
    { data: { kubeconfig: Buffer.from(byHand).toString("base64") } },
    { type: "merge" },
  );
  await eventually(
    async () => {
      const metrics = await controller.registry.metrics();
      const lists = /reflector_lists_total\{reflector="west\/services"[^}]*\} (\d+)/.exec(metrics);
      expect(Number(lists?.[1])).toBeGreaterThan(1);
    },
    { describe: "the provider is listed with what was written" },
  );
  expect(await writtenKubeconfig()).toBe(byHand);
  expect(await untilReady(world())).toBe("LinkReady");
});
