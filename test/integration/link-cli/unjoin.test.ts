import { describe, expect, onTestFinished, test } from "vitest";
import type { Link } from "../../../api/link.ts";
import {
  CONTROLLER_FIELD_MANAGER,
  LABELS,
  LINK_FINALIZER,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { KubeObject, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { EXIT_CODES } from "../../../cmd/link/cli-error.ts";
import { join } from "../../../cmd/link/join/join.ts";
import { OWNED_LABELS } from "../../../cmd/link/owned-labels.ts";
import { unjoin } from "../../../cmd/link/unjoin/unjoin.ts";
import { unjoinPeer } from "../../../cmd/link/unjoin/unjoin-peer.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { testNamespace } from "../fixtures.ts";
import { recordingReporter, useInstalledClusters } from "./cli-bed.ts";
import { both, failureOf, inSystem, joinOptions, unjoinBoth, unjoinOptions } from "./join-bed.ts";

const clusters = useInstalledClusters("west", "east");

/** A Service as the controller writes it for a Link. */
async function putMirror(
  client: KubeClient,
  namespace: string,
  name: string,
  finalizers: string[] = [],
): Promise<Service> {
  return await client.apply<Service>(
    RESOURCES.services,
    {
      metadata: {
        namespace,
        name,
        labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "west" },
        finalizers,
      },
      spec: { ports: [{ name: "http", port: 80, targetPort: 10_000, protocol: "TCP" }] },
    },
    { fieldManager: CONTROLLER_FIELD_MANAGER },
  );
}

/** A Link that had a controller, with two mirrors and things beside them that are not its own. */
async function abandonedLink() {
  const { client } = clusters.open("east");
  await join(joinOptions(clusters));
  const finalizers = { metadata: { finalizers: [LINK_FINALIZER] } };
  await client.patch(RESOURCES.links, inSystem("west"), finalizers, { type: "merge" });
  const namespace = await testNamespace(client);
  await putMirror(client, namespace, "web-west");
  await putMirror(client, namespace, "db-west");
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "west" };
  const foreign = await client.create<Service>(RESOURCES.services, {
    metadata: { namespace, name: "labelled-by-hand", labels },
    spec: { ports: [{ port: 80 }] },
  });
  const left = async () => {
    const { items } = await client.list<Service>(RESOURCES.services, { namespace });
    return items.map(({ metadata }) => metadata.name);
  };
  return { client, namespace, foreign, left };
}

describe("link unjoin when no controller runs", () => {
  test("says what is left and how to go on, and with --force removes the mirrors and the Link, and nothing else", async () => {
    const { client, namespace, foreign, left } = await abandonedLink();
    const failure = await failureOf(unjoin(unjoinOptions(clusters, { timeoutMs: 1000 })));
    expect(failure.exitCode).toBe(EXIT_CODES.notReady);
    expect(failure.message).toMatch(
      /2 objects of its mirrors are left: Service \S+\/(web|db)-west; no controller leads/,
    );
    expect(failure.fix).toContain("link unjoin west --context east --force");
    expect(await left()).toContain("web-west");

    const reporter = recordingReporter();
    await unjoin(unjoinOptions(clusters, { force: true, reporter }));
    expect(await client.find(RESOURCES.links, inSystem("west"))).toBeUndefined();
    expect(await client.find(RESOURCES.secrets, inSystem("isthmus-link-west"))).toBeUndefined();
    expect(await left()).toEqual(["labelled-by-hand"]);
    const key = { namespace, name: foreign.metadata.name };
    const { metadata } = await client.get<KubeObject>(RESOURCES.services, key);
    expect(metadata.resourceVersion).toBe(foreign.metadata.resourceVersion);
    expect(reporter.lines.join("\n")).toContain("link unjoin --peer east --context PROVIDER");
    await unjoin(unjoinOptions(clusters, { provider: clusters.open("west") }));
  });

  test("finds the mirrors of a Link that was taken away by hand", async () => {
    const { client, left } = await abandonedLink();
    await client.patch(
      RESOURCES.links,
      inSystem("west"),
      { metadata: { finalizers: null } },
      { type: "merge" },
    );
    await client.remove(RESOURCES.links, inSystem("west"));
    await client.remove(RESOURCES.secrets, inSystem("isthmus-link-west"));
    const failure = await failureOf(unjoin(unjoinOptions(clusters)));
    expect(failure.message).toContain("Link west does not exist");
    expect(failure.fix).toContain("2 objects of its mirrors are left");
    await unjoin(unjoinOptions(clusters, { force: true, provider: clusters.open("west") }));
    expect(await left()).toEqual(["labelled-by-hand"]);
  });

  test("names the finalizer of others that keeps a mirror, and does not wait for it", async () => {
    const { client, namespace, left } = await abandonedLink();
    await putMirror(client, namespace, "web-west", ["example.com/keep"]);
    onTestFinished(async () => {
      const key = { namespace, name: "web-west" };
      await client.patch(
        RESOURCES.services,
        key,
        { metadata: { finalizers: null } },
        { type: "merge" },
      );
    });
    const reporter = recordingReporter();
    await unjoin(unjoinOptions(clusters, { force: true, reporter }));
    expect(await client.find(RESOURCES.links, inSystem("west"))).toBeUndefined();
    expect(await left()).toEqual(["labelled-by-hand", "web-west"]);
    expect(reporter.lines.join("\n")).toContain(
      `Service ${namespace}/web-west, which the finalizer example.com/keep holds`,
    );
    await unjoin(unjoinOptions(clusters, { provider: clusters.open("west") }));
  });

  test("a finalizer of others on the Link itself is named, not taken away", async () => {
    const { client } = await abandonedLink();
    const finalizers = [LINK_FINALIZER, "example.com/keep"];
    await client.patch(
      RESOURCES.links,
      inSystem("west"),
      { metadata: { finalizers } },
      { type: "merge" },
    );
    const attempt = unjoin(unjoinOptions(clusters, { force: true, timeoutMs: 1000 }));
    expect((await failureOf(attempt)).message).toContain(
      "its finalizer example.com/keep is not of Isthmus",
    );
    const { metadata } = await client.get<Link>(RESOURCES.links, inSystem("west"));
    expect(metadata.finalizers).toEqual(["example.com/keep"]);
    await client.patch(
      RESOURCES.links,
      inSystem("west"),
      { metadata: { finalizers: null } },
      { type: "merge" },
    );
    await unjoinBoth(clusters);
  });
});

describe("link unjoin when the provider is gone for good", () => {
  test("finishes and says what to remove there, should it come back", async () => {
    const { left } = await abandonedLink();
    const [west] = await both(clusters);
    const reporter = recordingReporter();
    await unjoin(unjoinOptions(clusters, { force: true, reporter }));
    expect(await left()).toEqual(["labelled-by-hand"]);
    // Nothing was asked of it.
    expect((await both(clusters))[0]).toEqual(west);
    expect(reporter.lines.join("\n")).toContain("link unjoin --peer east --context PROVIDER");
    await unjoin(unjoinOptions(clusters, { provider: clusters.open("west") }));
  });
});

function peerOptions(consumer: string) {
  const { signal } = new AbortController();
  return { access: clusters.open("west"), consumer, reporter: recordingReporter(), signal };
}

describe("link unjoin --peer", () => {
  test("ends a join from the provider's side alone, with a join token that is pending", async () => {
    const { client: west } = clusters.open("west");
    const [before] = await both(clusters);
    await join(joinOptions(clusters));
    const token = { metadata: { ...inSystem("isthmus-join-token-east"), labels: OWNED_LABELS } };
    await west.create(RESOURCES.secrets, token);
    await unjoinPeer(peerOptions("east"));
    const [after, east] = await both(clusters);
    expect(after).toEqual(before);
    // The consumer was not asked, and keeps what is its own.
    expect(east?.has("Link west")).toBe(true);
    await unjoin(unjoinOptions(clusters));
  });

  test("says so where nothing of that name is joined, and names what is meant", async () => {
    await join(joinOptions(clusters));
    const failure = await failureOf(unjoinPeer(peerOptions("eest")));
    expect(failure.message).toContain("neither Peer eest nor ServiceAccount isthmus-link-eest");
    expect(failure.fix).toBe("did you mean east?");
    await unjoinBoth(clusters);
  });
});

describe("link unjoin --mutual", () => {
  test("removes both Links and what they had on the other side", async () => {
    const before = await both(clusters);
    await join(joinOptions(clusters, { mutual: true }));
    const provider = clusters.open("west");
    await unjoin(unjoinOptions(clusters, { provider, mutual: true }));
    expect(await both(clusters)).toEqual(before);
  });

  test("carries on where only the way back is left", async () => {
    const before = await both(clusters);
    await join(joinOptions(clusters, { mutual: true }));
    await unjoinBoth(clusters);
    const provider = clusters.open("west");
    await unjoin(unjoinOptions(clusters, { provider, mutual: true }));
    expect(await both(clusters)).toEqual(before);
    const failure = await failureOf(unjoin(unjoinOptions(clusters, { provider, mutual: true })));
    expect(failure.message).toContain("Link west does not exist");
  });
});
