import { describe, expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { CONTROLLER_NAME } from "../../../api/names.ts";
import type { KubeObject, Pod } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { type CheckOptions, preChecks, runChecks } from "../../../cmd/link/check/check.ts";
import type { CheckId, CheckReport, Finding } from "../../../cmd/link/check/report.ts";
import { EXIT_CODES } from "../../../cmd/link/cli-error.ts";
import type { ClusterAccess } from "../../../cmd/link/cluster-access.ts";
import { join } from "../../../cmd/link/join/join.ts";
import { silentReporter } from "../../../cmd/link/reporter.ts";
import { createKubeClient } from "../../../kube/client/client.ts";
import { closedAtEnd, configFor, eventually } from "../fixtures.ts";
import { installed, useClusters } from "./cli-bed.ts";
import { failureOf, inSystem, joinOptions } from "./join-bed.ts";
import { runCommand } from "./run-command.ts";

const clusters = useClusters("west", "east");

function looking(access: ClusterAccess, signal = new AbortController().signal) {
  return { access, reporter: silentReporter, clock: systemClock, signal };
}

/** Checks of east from both ends; no pod runs here, so those that need one are given little time. */
async function check(changes: Partial<CheckOptions> = {}): Promise<CheckReport> {
  const options = { linkNames: [], probe: false, timeoutMs: 500, provider: clusters.open("west") };
  return await runChecks({ ...looking(clusters.open("east")), ...options, ...changes });
}

function found({ checks }: CheckReport, id: CheckId, about = ""): Finding {
  const finding = checks.find((each) => each.id === id && each.about.includes(about));
  if (finding === undefined) throw new Error(`no ${id} of ${about}: ${JSON.stringify(checks)}`);
  return finding;
}

/** Names of what a check makes, in both clusters. */
async function leftOvers(): Promise<string[]> {
  const all = ["west", "east"].map(async (name) => {
    const { client } = clusters.open(name);
    const namespaces = await client.list<KubeObject>(RESOURCES.namespaces);
    const pods = await client.list<Pod>(RESOURCES.pods);
    return [...namespaces.items, ...pods.items].map(({ metadata }) => metadata.name);
  });
  return (await Promise.all(all)).flat().filter((name) => /^isthmus-(probe|check)/.test(name));
}

describe("link check --pre", () => {
  test("finds nothing in the way but that no node can run the image", async () => {
    const { checks, summary } = await preChecks(looking(clusters.open("east")));
    const wrong = checks.filter(({ result }) => result === "fail").map(({ id }) => id);
    expect(wrong).toEqual(["node-platform"]);
    expect(summary.ok).toBe(6);
  });

  test("names the rights that the user of the context lacks", async () => {
    const limited = await limitedAccess("east");
    const report = await preChecks(looking(limited));
    expect(found(report, "kube-api").result).toBe("ok");
    expect(found(report, "install-rights").message).toContain(
      "create deployments.apps in isthmus-system",
    );
    // What it may not read it does not judge.
    expect(found(report, "node-platform")).toMatchObject({ result: "skip" });
    expect(found(report, "node-platform").message).toContain("cannot list resource");
  });

  test("fails on a server that does not answer, and skips the rest with the reason", async () => {
    const { caPem = "" } = clusters.open("east");
    const client = closedAtEnd(
      createKubeClient(configFor({ server: "https://127.0.0.1:1", caPem })),
    );
    const report = await preChecks(looking({ ...clusters.open("east"), client }));
    expect(found(report, "kube-api").result).toBe("fail");
    expect(report.summary.ok).toBe(0);
    expect(found(report, "crds-free").message).toContain("ECONNREFUSED");
  });
});

describe("link check", () => {
  test("says that nothing is installed, and how to install it", async () => {
    const report = await check({ provider: undefined });
    expect(found(report, "installed")).toMatchObject({
      result: "fail",
      fix: "link install --context east",
    });
  });

  test("exits with 1 when a check fails, with the report on standard output", async () => {
    const kubeconfig = clusters.kubeconfigPath();
    const flags = ["--context", "east", "--kubeconfig", kubeconfig, "-o", "json"];
    const { code, stdout } = await runCommand(["check", ...flags]);
    expect(code).toBe(EXIT_CODES.failed);
    const report: CheckReport = JSON.parse(stdout);
    expect(found(report, "installed").result).toBe("fail");
  });

  test("finds the installation, the rights of the accounts as themselves, clocks and certificates", async () => {
    await Promise.all(["west", "east"].map((name) => installed(clusters.open(name))));
    await join(joinOptions(clusters));
    const report = await check();
    for (const context of ["west", "east"]) {
      expect(found(report, "installed", context)).toMatchObject({ result: "ok" });
      expect(found(report, "crds-served", context)).toMatchObject({ result: "ok" });
      expect(found(report, "rbac-controller", context)).toMatchObject({ result: "ok" });
      expect(found(report, "rbac-gateway", context)).toMatchObject({ result: "ok" });
      expect(found(report, "clock-skew", `API server of context ${context}`).result).toBe("ok");
    }
    expect(found(report, "rbac-link", "isthmus-link-east, west").result).toBe("ok");
    expect(found(report, "token-expiry", "west").result).toBe("ok");
    expect(found(report, "certificate-expiry", "trust bundle").result).toBe("ok");
    // No controller runs here.
    expect(found(report, "controller-ready", "east").result).toBe("fail");
    expect(found(report, "controller-leader", "east").result).toBe("fail");
    expect(found(report, "link-conditions").message).toContain("has not looked at it yet");
    expect(found(report, "peer-trust").result).toBe("skip");
    expect(found(report, "path-mtu").message).toBe("not looked at: --no-probe");
  });

  test("names a right that an account has lost, and an account that is gone", async () => {
    const { client } = clusters.open("west");
    await client.remove(RESOURCES.clusterRoleBindings, { name: CONTROLLER_NAME });
    await client.remove(RESOURCES.serviceAccounts, inSystem("isthmus-link-east"));
    const report = await check();
    const lost = found(report, "rbac-controller", "west");
    expect(lost.message).toContain("create endpointslices.discovery.k8s.io");
    expect(lost.message).not.toContain("links.isthmus.dev");
    expect(lost.fix).toContain("link upgrade --context west");
    expect(found(report, "rbac-link").message).toBe("the ServiceAccount does not exist");
    expect(found(report, "rbac-gateway", "west").result).toBe("ok");
  });

  test("skips what a pod would have seen, when none comes to run, and leaves none", async () => {
    const report = await check({ probe: true, provider: undefined });
    const reached = found(report, "gateway-reachable");
    // The Link has no address yet: there is nothing to look at.
    expect(reached).toMatchObject({ result: "fail", message: "it has no gateway address" });
    const { client } = clusters.open("east");
    const gateway = { spec: { gateway: { addresses: ["192.0.2.1"] } } };
    await client.patch(RESOURCES.links, inSystem("west"), gateway, { type: "merge" });
    const again = await check({ probe: true, provider: undefined });
    expect(found(again, "gateway-reachable")).toMatchObject({ result: "skip" });
    expect(found(again, "path-mtu").message).toMatch(/isthmus-probe-gateways-\w+ not ready within/);
    expect(await leftOvers()).toEqual([]);
  });

  test("takes its pod away when it is interrupted", async () => {
    const interruption = new AbortController();
    const access = clusters.open("east");
    const checking = check({
      ...looking(access, interruption.signal),
      provider: undefined,
      probe: true,
      timeoutMs: 60_000,
    });
    const outcome = checking.catch((error: unknown) => error);
    await eventually(async () => expect(await leftOvers()).toHaveLength(1), {
      describe: "the probe's pod exists",
    });
    interruption.abort(new Error("interrupted"));
    expect(await outcome).toEqual(new Error("interrupted"));
    expect(await leftOvers()).toEqual([]);
  });

  test("says at which step an end-to-end try ended, and removes its namespaces at both ends", async () => {
    const report = await check({ probe: true });
    const tried = found(report, "end-to-end");
    expect(tried.result).toBe("fail");
    expect(tried.message).toMatch(/isthmus-probe-serve-\w+ at the provider not ready within/);
    expect(await leftOvers()).toEqual([]);
  });

  test("does not know a Link that is not there", async () => {
    const failure = await failureOf(check({ linkNames: ["wst"] }));
    expect(failure.message).toBe("context east: Link wst does not exist");
    expect(failure.fix).toContain("west");
  });

  test("skips what the user of the context may not read, each with the reason", async () => {
    const access = await limitedAccess("east");
    const report = await check({ access, provider: undefined });
    expect(found(report, "kube-api").result).toBe("ok");
    expect(found(report, "installed")).toMatchObject({ result: "skip" });
    expect(found(report, "installed").message).toContain('cannot get resource "configmaps"');
  });
});

/** A cluster as an account without any rights of its own reaches it. */
async function limitedAccess(name: string): Promise<ClusterAccess> {
  const access = clusters.open(name);
  const { server, caPem = "" } = access;
  const account = { metadata: { name: "limited", namespace: "default" } };
  await access.client.apply(RESOURCES.serviceAccounts, account, { fieldManager: "test" });
  const answer = await access.client.request<{ status: { token: string } }>({
    method: "POST",
    path: "/api/v1/namespaces/default/serviceaccounts/limited/token",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  const { token } = answer.status;
  return {
    ...access,
    client: closedAtEnd(createKubeClient(configFor({ server, caPem }, { token }))),
  };
}
