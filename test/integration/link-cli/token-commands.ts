import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { RESOURCES } from "../../../api/resources.ts";
import type { ClusterAccess } from "../../../cmd/link/cluster-access.ts";
import { withBody } from "../../../cmd/link/join/provider-objects.ts";
import { EXIT_CODES } from "../../../cmd/link/cli-error.ts";
import { issueToken } from "../../../cmd/link/token/issue.ts";
import { revokeToken } from "../../../cmd/link/token/revoke.ts";
import { parseToken } from "../../../cmd/link/token/token-document.ts";
import { createKubeClient } from "../../../kube/client/client.ts";
import { requestToken } from "../../../kube/client/request-token.ts";
import { closedAtEnd, configFor, eventually } from "../fixtures.ts";
import { recordingReporter } from "./cli-bed.ts";
import { failureOf, inSystem, unjoinBoth } from "./join-bed.ts";
import { issue, issueOptions, redeem, requestOf, type TokenBed } from "./token-bed.ts";
import { give, held, link, pendingAt } from "./token-tries.ts";

async function deliver(): Promise<void> {
  throw new Error("the disk is full");
}

/** East as an account sees it that may read what a join looks at, and write nothing. */
async function readerOf(bed: TokenBed): Promise<ClusterAccess> {
  const east = bed.open("east");
  const account = inSystem("reader");
  const rules = [
    { apiGroups: [""], resources: ["configmaps", "secrets"], verbs: ["get"] },
    { apiGroups: ["isthmus.dev"], resources: ["links"], verbs: ["get", "list"] },
  ];
  const roleRef = { apiGroup: RESOURCES.roles.group, kind: "Role", name: account.name };
  const subjects = [{ kind: "ServiceAccount", ...account }];
  const metadata = { metadata: account };
  await east.client.create(RESOURCES.serviceAccounts, metadata);
  await east.client.create(RESOURCES.roles, withBody(metadata, { rules }));
  await east.client.create(RESOURCES.roleBindings, withBody(metadata, { roleRef, subjects }));
  const token = await requestToken(east.client, account, { lifetimeSeconds: 600 });
  const { server, caPem = "" } = east;
  const client = closedAtEnd(createKubeClient(configFor({ server, caPem }, { token })));
  return { ...east, client };
}

/** The tests of what the commands do when all goes well and when it does not, at the bed of a test file. */
export function tokenCommands(bed: TokenBed): void {
  describe("a redemption that fails", () => {
    test("looks before it uses the token up: for another cluster, and where it could not write", async () => {
      const token = await issue(bed, { consumer: "north" });
      const otherCluster = await failureOf(redeem(bed, token));
      expect(otherCluster.message).toBe(
        "the token is for cluster north, and context east is cluster east",
      );
      const east = bed.open("east");
      const secret = { metadata: inSystem("isthmus-link-west") };
      await east.client.create(RESOURCES.secrets, secret);
      const mine = await issue(bed);
      const foreign = await failureOf(redeem(bed, mine));
      expect(foreign.message).toContain(
        "Secret isthmus-system/isthmus-link-west exists and was not made by link join",
      );
      await east.client.remove(RESOURCES.secrets, secret.metadata);
      expect((await pendingAt(bed, "north"))?.usesLeft).toBe(1);
      expect((await pendingAt(bed))?.usesLeft).toBe(1);
    });

    test("looks before it uses the token up: for who may read here and not write", async () => {
      const token = await issue(bed);
      const failure = await failureOf(redeem(bed, token, { access: await readerOf(bed) }));
      expect(failure.message).toMatch(/cannot patch resource "(secrets|links)"/);
      expect((await pendingAt(bed))?.usesLeft).toBe(1);
    });

    test("after the exchange takes this side back, and says that the token is used up", async () => {
      const { client } = bed.open("east");
      const reporter = recordingReporter();
      const failure = await failureOf(redeem(bed, await issue(bed), { wait: true, reporter }));
      expect(failure.exitCode).toBe(EXIT_CODES.notReady);
      expect(await client.find(RESOURCES.links, inSystem("west"))).toBeUndefined();
      expect(await client.find(RESOURCES.secrets, inSystem("isthmus-link-west"))).toBeUndefined();
      expect(reporter.lines.join("\n")).toMatch(
        /the token is used up; west still has .*link unjoin --peer east/,
      );
    });

    test("where no token is pending, since the gateway then has no such server name", async () => {
      const token = await issue(bed);
      const { access, ...options } = issueOptions(bed);
      for (const consumer of ["east", "north"]) {
        await revokeToken({ ...options, access, consumer });
      }
      await eventually(async () => expect(await give(bed, requestOf(bed, token))).toBeUndefined(), {
        describe: "the gateway takes no token",
      });
      const failure = await failureOf(redeem(bed, token));
      expect(failure.message).toContain("it takes no token now: none is pending there");
    });
  });

  describe("an issue that fails", () => {
    test("takes everything back, and the pending token stays as it was", async () => {
      const before = await held(bed);
      expect(
        (await failureOf(issueToken(issueOptions(bed, { deliver, consumer: "south" })))).message,
      ).toBe("the disk is full");
      expect(await held(bed)).toEqual(before);
      const token = await issue(bed);
      await failureOf(issueToken(issueOptions(bed, { deliver })));
      expect((await pendingAt(bed))?.id).toBe(token.id);
      expect(await give(bed, requestOf(bed, token))).toMatchObject({ status: 200 });
    });

    test("names what is in the way", async () => {
      const own = await failureOf(issue(bed, { consumer: "west" }));
      expect(own.message).toContain("is cluster west itself");
      const unreachable = await failureOf(issue(bed, { gateway: {} }));
      expect(unreachable.message).toContain(
        "Service isthmus-system/isthmus-gateway has no load balancer address yet",
      );
    });
  });

  test("a token by files: issued for its owner's eyes, listed, replaced, redeemed and revoked", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "isthmus-token-"));
    onTestFinished(async () => await rm(folder, { recursive: true }));
    const file = path.join(folder, "t.yaml");
    await writeFile(file, "", { mode: 0o644 });
    const [{ gateway }] = bed.gateways();
    const issueArgs = [
      "issue",
      "--consumer",
      "east",
      "--context",
      "west",
      "--server",
      bed.open("west").server,
      "--gateway-address",
      "127.0.0.1",
      "--gateway-port",
      String(gateway.ingressPort),
    ];

    const issued = await link(bed, ...issueArgs, "-o", file);
    expect(issued).toMatchObject({ code: 0, stdout: "" });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const { secret } = parseToken(await readFile(file, "utf8"), file);
    expect(issued.stderr).not.toContain(secret);
    const listed = await link(bed, "list", "--context", "west", "-o", "json");
    expect(JSON.parse(listed.stdout)).toMatchObject({
      tokens: [{ consumer: "east", state: "pending", uses: 1, usesLeft: 1 }],
    });

    const printed = await link(bed, ...issueArgs);
    const replaced = await link(bed, "redeem", file, "--context", "east", "--no-wait");
    expect(replaced).toMatchObject({ code: EXIT_CODES.failed });
    expect(replaced.stderr).toContain("TokenUnknown");
    await writeFile(file, printed.stdout);
    const redeemed = await link(bed, "redeem", file, "--context", "east", "--no-wait");
    expect(redeemed).toMatchObject({ code: 0, stdout: "" });

    expect(await link(bed, "revoke", "east", "--context", "west")).toMatchObject({
      code: EXIT_CODES.failed,
    });
    await link(bed, ...issueArgs);
    expect(await link(bed, "revoke", "east", "--context", "west")).toMatchObject({ code: 0 });
    const west = bed.open("west");
    expect(
      await west.client.find(RESOURCES.serviceAccounts, inSystem("isthmus-link-east")),
    ).toBeDefined();
    const none = await link(bed, "list", "--context", "west");
    expect(none.stdout).toContain("No join tokens are pending");
    await unjoinBoth(bed);
  });
}
