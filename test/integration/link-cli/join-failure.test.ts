import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { EXIT_CODES } from "../../../cmd/link/cli-error.ts";
import { join } from "../../../cmd/link/join/join.ts";
import { unjoin } from "../../../cmd/link/unjoin/unjoin.ts";
import { createKubeClient } from "../../../kube/client/client.ts";
import { closedAtEnd, configFor } from "../fixtures.ts";
import { publishIdentity, recordingReporter, useInstalledClusters } from "./cli-bed.ts";
import { both, failureOf, inSystem, joinOptions, unjoinBoth, unjoinOptions } from "./join-bed.ts";

const clusters = useInstalledClusters("west", "east");

/** In west, where the second direction of a mutual join wants to put its own. */
async function foreignCredentials(): Promise<void> {
  const { client } = clusters.open("west");
  const metadata = inSystem("isthmus-link-east");
  await client.create(RESOURCES.secrets, { metadata });
  onTestFinished(async () => await client.remove(RESOURCES.secrets, metadata));
}

describe("a join that fails", () => {
  test("says what it made and removes it when the Link is not Ready in time", async () => {
    const before = await both(clusters);
    const reporter = recordingReporter();
    const failure = await failureOf(join(joinOptions(clusters, { wait: true, reporter })));
    expect(failure.exitCode).toBe(EXIT_CODES.notReady);
    expect(reporter.lines).toContain("made Link isthmus-system/west (context east)");
    expect(reporter.lines).toContain("removed Peer isthmus-system/east (context west)");
    expect(await both(clusters)).toEqual(before);
  });

  test("removes what it made when it is interrupted", async () => {
    const before = await both(clusters);
    const interruption = new AbortController();
    const reporter = recordingReporter();
    const progress = (text: string) => {
      if (text.startsWith("waiting for Link")) interruption.abort(new Error("interrupted"));
    };
    const options = joinOptions(clusters, {
      wait: true,
      timeoutMs: 30_000,
      signal: interruption.signal,
    });
    const failure = await failureOf(join({ ...options, reporter: { ...reporter, progress } }));
    expect(failure.exitCode).toBe(EXIT_CODES.interrupted);
    expect(await both(clusters)).toEqual(before);
  });

  test("removes what it made and ends with 130 on Ctrl-C", async () => {
    const before = await both(clusters);
    const program = path.join(import.meta.dirname, "../../../cmd/link/link.ts");
    const kubeconfig = ["--kubeconfig", clusters.kubeconfigPath()];
    const args = [program, "join", "west", "--context", "east", ...kubeconfig];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    const ended = once(child, "close");
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("waiting for Link west") && !child.killed) child.kill("SIGINT");
    });
    const [code] = await ended;
    expect(code).toBe(EXIT_CODES.interrupted);
    expect(said).toContain("removed Link isthmus-system/west (context east)");
    expect(said).toContain("✗ interrupted");
    expect(await both(clusters)).toEqual(before);
  });

  test("leaves alone what is of the same name and not its own", async () => {
    const { client } = clusters.open("east");
    const foreign: Secret = {
      metadata: inSystem("isthmus-link-west"),
      data: { kubeconfig: Buffer.from("mine").toString("base64") },
    };
    await client.create(RESOURCES.secrets, foreign);
    onTestFinished(async () => await client.remove(RESOURCES.secrets, foreign.metadata));
    const before = await both(clusters);
    const failure = await failureOf(join(joinOptions(clusters)));
    expect(failure.message).toContain(
      "Secret isthmus-system/isthmus-link-west exists and was not made by link join",
    );
    expect(await both(clusters)).toEqual(before);
  });

  test("in the second direction of --mutual takes both back", async () => {
    await foreignCredentials();
    const before = await both(clusters);
    const failure = await failureOf(join(joinOptions(clusters, { mutual: true })));
    expect(failure.message).toContain("isthmus-link-east");
    expect(await both(clusters)).toEqual(before);
  });

  test("puts an existing Link's credentials back when a later write fails", async () => {
    await join(joinOptions(clusters));
    await foreignCredentials();
    const credentials = async () => {
      const east = clusters.open("east").client;
      return (await east.get<Secret>(RESOURCES.secrets, inSystem("isthmus-link-west"))).data;
    };
    const before = await credentials();
    await failureOf(join(joinOptions(clusters, { mutual: true })));
    expect(await credentials()).toEqual(before);
    await unjoinBoth(clusters);
  });

  test("before anything is made: a loopback server, unless --server says so", async () => {
    const before = await both(clusters);
    const provider = { ...clusters.open("west"), server: "https://127.0.0.1:6443" };
    const failure = await failureOf(join(joinOptions(clusters, { provider })));
    expect(failure.fix).toContain("--server");
    expect(await both(clusters)).toEqual(before);
  });

  test("before anything is made: a server without TLS", async () => {
    const failure = await failureOf(join(joinOptions(clusters, { server: "http://west:6443" })));
    expect(failure.exitCode).toBe(EXIT_CODES.usage);
  });

  test("before anything is made: a cluster joined to itself", async () => {
    const failure = await failureOf(
      join(joinOptions(clusters, { provider: clusters.open("east") })),
    );
    expect(failure.message).toContain("both installed under the cluster name east");
  });

  test("before anything is made: another cluster of the consumer's name has the Peer", async () => {
    await join(joinOptions(clusters));
    // As if east had been installed anew, with a CA of its own.
    await publishIdentity(clusters.open("east"), "east");
    const before = await both(clusters);
    const failure = await failureOf(join(joinOptions(clusters)));
    expect(failure.message).toContain(
      "Peer isthmus-system/east trusts another certificate authority",
    );
    expect(failure.fix).toContain("delete peer east");
    expect(await both(clusters)).toEqual(before);
    await unjoinBoth(clusters);
  });
});

describe("link unjoin", () => {
  test("works without the provider and says what is left there", async () => {
    await join(joinOptions(clusters));
    const reporter = recordingReporter();
    const options = unjoinOptions(clusters, { reporter });
    await unjoin(options);
    expect(reporter.lines.join("\n")).toContain("link unjoin --peer east");
    const failure = await failureOf(unjoin(options));
    expect(failure.message).toContain("Link west does not exist");
    // With the provider it carries on where it could not before.
    await unjoin({ ...options, provider: clusters.open("west") });
    const { client } = clusters.open("west");
    expect(await client.find(RESOURCES.peers, inSystem("east"))).toBeUndefined();
  });

  test("removes nothing when the provider it is given does not answer", async () => {
    await join(joinOptions(clusters));
    const before = await both(clusters);
    const config = configFor({ server: "https://127.0.0.1:1", caPem: "" });
    const provider = { ...clusters.open("west"), client: closedAtEnd(createKubeClient(config)) };
    const failure = await failureOf(unjoin(unjoinOptions(clusters, { provider })));
    expect(failure.message).toContain("https://127.0.0.1:1");
    expect(failure.fix).toContain("leave out --provider-context");
    expect(await both(clusters)).toEqual(before);
    await unjoinBoth(clusters);
  });

  test("refuses the context of another cluster", async () => {
    await join(joinOptions(clusters));
    const east = clusters.open("east");
    const attempt = unjoin(unjoinOptions(clusters, { access: east, provider: east }));
    expect((await failureOf(attempt)).message).toContain(
      "is cluster east, but Link west leads to west",
    );
    expect(await east.client.find(RESOURCES.links, inSystem("west"))).toBeDefined();
    await unjoinBoth(clusters);
  });
});
