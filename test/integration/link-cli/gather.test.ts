import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import { GATEWAY_NAME } from "../../../api/names.ts";
import type { KubeObject, Secret } from "../../../api/objects.ts";
import { type Resource, RESOURCES } from "../../../api/resources.ts";
import { EXIT_CODES } from "../../../cmd/link/cli-error.ts";
import { gather } from "../../../cmd/link/diagnose/gather.ts";
import { join } from "../../../cmd/link/join/join.ts";
import { silentReporter } from "../../../cmd/link/reporter.ts";
import { createAuthority } from "../../../pki/authority.ts";
import { leakedInto, secretPieces } from "../../system/secret-pieces.ts";
import { eventually } from "../fixtures.ts";
import { useInstalledClusters } from "./cli-bed.ts";
import { inSystem, joinOptions } from "./join-bed.ts";
import { runCommand } from "./run-command.ts";

const clusters = useInstalledClusters("west", "east");

const PASSWORD = "correct horse battery staple";
const LONG = "Zx81Qq7Lp0Vt5Rk2Jm9Wc4Ns6Bd3Hf";
/** An object with fields that its type does not have. */
function withBody(metadata: KubeObject["metadata"], body: object): KubeObject {
  return Object.assign({ metadata }, body);
}

async function put(resource: Resource, object: KubeObject): Promise<void> {
  const { client } = clusters.open("east");
  await client.apply(resource, object, { fieldManager: "test", force: true });
}

/** The CA's and the gateways' Secrets as the controller makes them, and one of somebody else. */
async function putSecrets(): Promise<void> {
  const { certificatePem, privateKeyPem } = await createAuthority({
    clusterName: "east",
    nowMs: Date.now(),
  });
  const stringData = { "tls.crt": certificatePem, "tls.key": privateKeyPem };
  await put(RESOURCES.secrets, withBody(inSystem("isthmus-ca"), { stringData }));
  await put(RESOURCES.secrets, withBody(inSystem("isthmus-gateway-tls"), { stringData }));
  const theirs = { password: PASSWORD, long: LONG, binary: privateKeyPem };
  await put(RESOURCES.secrets, withBody(inSystem("theirs"), { stringData: theirs }));
}

async function linkToken(): Promise<string> {
  const { client } = clusters.open("east");
  const secret = await client.get<Secret>(RESOURCES.secrets, inSystem("isthmus-link-west"));
  const kubeconfig = Buffer.from(secret.data?.["kubeconfig"] ?? "", "base64").toString();
  return /token: (\S+)/.exec(kubeconfig)?.[1] ?? "";
}

/** Puts values of Secrets where somebody, or a fault of ours, might put them. */
async function leak(token: string): Promise<void> {
  const { client } = clusters.open("east");
  const event = {
    eventTime: new Date().toISOString().replace("Z", "000Z"),
    type: "Warning",
    reason: "Leak",
    action: "Leak",
    note: `with ${token.slice(0, 700)} and ${PASSWORD}: ${LONG.slice(3, 25)}`,
    reportingController: "isthmus.dev/controller",
    reportingInstance: "x",
    regarding: { kind: "Link", ...inSystem("west") },
  };
  await client.create(RESOURCES.events, withBody(inSystem("leak"), event));
  const annotations = {
    "kubectl.kubernetes.io/last-applied-configuration": `{"token":"${token}"}`,
    "isthmus.dev/note": `${Buffer.from(token).toString("base64")} and ${PASSWORD}`,
  };
  const metadata = { metadata: { annotations } };
  await client.patch(RESOURCES.links, inSystem("west"), metadata, { type: "merge" });
  const env = [
    { name: "PROXY_PASSWORD", value: "in-clear-in-the-deployment" },
    { name: "LOG_LEVEL", value: LONG },
  ].map((value) => ({ op: "add", path: "/spec/template/spec/containers/0/env/-", value }));
  await client.patch(RESOURCES.deployments, inSystem(GATEWAY_NAME), env, { type: "json" });
  await put(RESOURCES.configMaps, withBody(inSystem("theirs"), { data: { a: LONG } }));
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "isthmus-gather-"));
  onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
  return folder;
}

function gatherArgs(output: string): string[] {
  const kubeconfig = clusters.kubeconfigPath();
  return [
    "diagnose",
    "gather",
    "--context",
    "east",
    "--kubeconfig",
    kubeconfig,
    "--output",
    output,
  ];
}

describe("link diagnose gather", () => {
  let archive = "";

  test("gathers objects, Events and what the other commands show, and says what it could not read", async () => {
    await putSecrets();
    await join(joinOptions(clusters));
    await leak(await linkToken());
    const { client } = clusters.open("east");
    await eventually(
      async () => expect((await client.list(RESOURCES.pods)).items).not.toEqual([]),
      { describe: "pods exist, which never run" },
    );
    const gathered = await gather({
      access: clusters.open("east"),
      sinceMs: 3_600_000,
      reporter: silentReporter,
      clock: systemClock,
      signal: new AbortController().signal,
    });
    archive = gunzipSync(gathered.archive).toString("latin1");
    expect(gathered.files).toEqual(
      expect.arrayContaining([
        "index.yaml",
        "version.json",
        "objects/links.yaml",
        "objects/secrets.yaml",
        "objects/mirrors.yaml",
        "objects/events.yaml",
        "objects/clusterroles.yaml",
        "objects/customresourcedefinitions.yaml",
        "views/status.json",
        "views/status.txt",
        "views/services.txt",
        "views/gateways.txt",
        "views/failover.json",
        "views/check.txt",
      ]),
    );
    expect(archive).toContain("spiffe://west/isthmus/gateway");
    expect(archive).toContain("reason: Leak");
    expect(archive).toMatch(/kubeconfig: \d+ bytes/);
    expect(archive).toMatch(/\[certificate: subject .*, valid from /);
    expect(gathered.gaps.join("\n")).toMatch(/metrics\/isthmus-gateway-\S+: /);
    expect(archive).toContain("notRead:");
  });

  test("holds no value of any Secret of the cluster, not as base64 and no piece of it", async () => {
    const pieces = await secretPieces(clusters.open("east").client);
    expect(pieces.size).toBeGreaterThanOrEqual(8);
    expect(leakedInto(archive, pieces)).toEqual([]);
  });

  test("holds no token by its form, no kubectl annotation and no variable of others", () => {
    const forms = /eyJ[\w-]{8,}|BEGIN [A-Z ]*PRIVATE KEY|.*in-clear/.exec(archive)?.[0];
    expect(forms).toBeUndefined();
    expect(archive.includes("[left out: not of Isthmus]")).toBe(true);
  });

  test("was given something to leave out", async () => {
    const { client } = clusters.open("east");
    const link = JSON.stringify(await client.get(RESOURCES.links, inSystem("west")));
    const pieces = await secretPieces(client);
    expect(leakedInto(link, pieces)).toContain("isthmus-link-west kubeconfig");
  });

  test("writes a file that only its owner reads, and prints its name", async () => {
    const file = path.join(await temporaryFolder(), "fault.tar.gz");
    const { code, stdout } = await runCommand(gatherArgs(file));
    expect([code, stdout]).toEqual([EXIT_CODES.ok, `${file}\n`]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test("leaves no file when it is interrupted", async () => {
    const folder = await temporaryFolder();
    const interruption = new AbortController();
    const running = runCommand(gatherArgs(path.join(folder, "fault.tar.gz")), interruption.signal);
    setImmediate(() => interruption.abort(new Error("interrupted")));
    expect((await running).code).toBe(EXIT_CODES.interrupted);
    expect(await readdir(folder)).toEqual([]);
  });
});
