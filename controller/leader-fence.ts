import type { KubeClient } from "../kube/client/client.ts";

/** A write was asked for by a replica that is not, or no longer, the leader. */
export class NotLeaderError extends Error {
  override readonly name = "NotLeaderError";

  constructor() {
    super("not the leader: the write is not sent");
  }
}

/**
 * A client that reads always and writes only while `isLeader` says so. It is
 * asked for each write, against the clocks: a process that was stopped for
 * longer than its Lease resumes with work in hand before any timer has fired.
 */
export function fenceWrites(client: KubeClient, isLeader: () => boolean): KubeClient {
  const guard = (): void => {
    if (!isLeader()) throw new NotLeaderError();
  };
  return {
    server: client.server,
    get: async (...call) => await client.get(...call),
    find: async (...call) => await client.find(...call),
    list: async (...call) => await client.list(...call),
    watch: (...call) => client.watch(...call),
    create: async (...call) => {
      guard();
      return await client.create(...call);
    },
    apply: async (...call) => {
      guard();
      return await client.apply(...call);
    },
    patch: async (...call) => {
      guard();
      return await client.patch(...call);
    },
    replace: async (...call) => {
      guard();
      return await client.replace(...call);
    },
    remove: async (...call) => {
      guard();
      await client.remove(...call);
    },
    request: async (init) => {
      if (init.method !== "GET") guard();
      return await client.request(init);
    },
    close: async () => await client.close(),
  };
}
