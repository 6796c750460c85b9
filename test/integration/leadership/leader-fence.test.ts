import { expect, test } from "vitest";
import { RESOURCES } from "../../../api/resources.ts";
import { LeaderFence, NotLeaderError } from "../../../controller/leader-fence.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { adminClient, clientThrough, eventually, faultProxy, testNamespace } from "../fixtures.ts";

const POST = (request: { method: string }) => request.method === "POST";

/** A replica that leads until the test says otherwise, writing through a fault proxy. */
async function replica() {
  const namespace = await testNamespace(adminClient("west"));
  const proxy = await faultProxy("west");
  const client = clientThrough(proxy, { connections: 1 });
  const state = { leads: true };
  const fence = new LeaderFence(() => state.leads);
  const create = async (guarded: KubeClient, signal?: AbortSignal) =>
    await guarded.create(
      RESOURCES.configMaps,
      { metadata: { namespace, name: "x" } },
      signal === undefined ? {} : { signal },
    );
  const untilPosted = async () =>
    await eventually(() => expect(proxy.requests.filter(POST)).toHaveLength(1), {
      describe: "the write is on the wire",
    });
  return {
    namespace,
    proxy,
    client,
    state,
    fence,
    guarded: fence.guard(client),
    create,
    untilPosted,
  };
}

test("a write that waited for a connection is not sent when the lease was lost meanwhile", async () => {
  const { namespace, proxy, client, state, guarded, create } = await replica();
  proxy.inject({ match: ({ verb }) => verb === "get", fault: { type: "hang" } });
  const occupied = new AbortController();
  const read = client.find(
    RESOURCES.configMaps,
    { namespace, name: "y" },
    { signal: occupied.signal },
  );
  const write = create(guarded);
  state.leads = false;
  occupied.abort(new Error("enough"));
  await expect(read).rejects.toThrow("enough");
  await expect(write).rejects.toThrow(NotLeaderError);
  expect(proxy.requests.filter(POST)).toEqual([]);
});

test("a caller that gives up ends a write that waits, and not one on the wire: that ends with the term", async () => {
  const { namespace, proxy, guarded, create, fence, untilPosted } = await replica();
  proxy.inject({ match: POST, fault: { type: "hang" } });
  const caller = new AbortController();
  const sent = Promise.allSettled([create(guarded, caller.signal)]);
  await untilPosted();
  const key = { namespace, name: "y" };
  const unsent = Promise.allSettled([
    guarded.remove(RESOURCES.configMaps, key, { signal: caller.signal }),
  ]);
  caller.abort(new Error("stopped"));
  expect(await Promise.race([sent, Promise.resolve("not answered")])).toBe("not answered");
  fence.cut();
  expect(await sent).toMatchObject([{ status: "rejected", reason: expect.any(NotLeaderError) }]);
  expect(await unsent).toMatchObject([{ status: "rejected", reason: new Error("stopped") }]);
  expect(proxy.requests.filter(({ method }) => method === "DELETE")).toEqual([]);
  expect(fence.settled).toBe(false);
});

test("a write that was answered leaves nothing open", async () => {
  const { guarded, create, fence } = await replica();
  await create(guarded);
  fence.cut();
  expect(fence.settled).toBe(true);
});
