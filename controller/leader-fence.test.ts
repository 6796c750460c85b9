import { KubeConfig } from "@kubernetes/client-node";
import { expect, it, onTestFinished } from "vitest";
import { RESOURCES } from "../api/resources.ts";
import { createKubeClient, type KubeClient } from "../kube/client/client.ts";
import { LeaderFence, NotLeaderError } from "./leader-fence.ts";

/** Port 1 of loopback: what is sent fails with a refused connection, what is fenced never is sent. */
function unreachableClient() {
  const config = new KubeConfig();
  const cluster = { name: "c", server: "https://127.0.0.1:1", skipTLSVerify: false };
  config.loadFromClusterAndUser(cluster, { name: "u", token: "t" });
  const client = createKubeClient(config);
  onTestFinished(async () => await client.close());
  return client;
}

const KEY = { namespace: "default", name: "x" };
const OBJECT = { metadata: KEY };
const { services } = RESOURCES;

const WRITES = {
  create: async (client: KubeClient) => await client.create(services, OBJECT),
  apply: async (client) => await client.apply(services, OBJECT, { fieldManager: "test" }),
  patch: async (client) => await client.patch(services, KEY, {}, { type: "merge" }),
  replace: async (client) => await client.replace(services, OBJECT),
  remove: async (client) => await client.remove(services, KEY),
  request: async (client) => await client.request({ method: "POST", path: "/api" }),
} satisfies Record<string, (client: KubeClient) => Promise<unknown>>;

it.each(Object.entries(WRITES))(
  "%s is not sent by a replica that does not lead",
  async (_, write) => {
    const client = unreachableClient();
    const [leader, other] = [new LeaderFence(() => true), new LeaderFence(() => false)];
    await expect(write(other.guard(client))).rejects.toThrow(NotLeaderError);
    await expect(write(leader.guard(client))).rejects.toThrow("ECONNREFUSED");
    leader.cut();
    await expect(write(leader.guard(client))).rejects.toThrow(NotLeaderError);
  },
);

it("reads are sent by every replica", async () => {
  const client = new LeaderFence(() => false).guard(unreachableClient());
  await expect(client.find(services, KEY)).rejects.toThrow("ECONNREFUSED");
});
