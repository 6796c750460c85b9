import { describe, expect, test } from "vitest";
import type { JoinRequest, JoinToken } from "../../../api/join-token.ts";
import type { Link } from "../../../api/link.ts";
import { gatewayIdentity, KUBECONFIG_KEY } from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import type { Peer } from "../../../api/peer.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { EXIT_CODES } from "../../../cmd/link/cli-error.ts";
import { formatToken, parseToken } from "../../../cmd/link/token/token-document.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import { parseLinkKubeconfig } from "../../../kube/kubeconfig/kubeconfig.ts";
import { closedAtEnd, eventually } from "../fixtures.ts";
import { createIdentity } from "../gateway/identities.ts";
import { failureOf, inSystem, unjoinBoth } from "./join-bed.ts";
import { issue, redeem, requestOf, untilRightsAreGone, useTokenBed } from "./token-bed.ts";
import { tokenCommands } from "./token-commands.ts";
import { give, held, pendingAt, refusalOf, SECRETS } from "./token-tries.ts";

const bed = useTokenBed();

async function may(client: KubeClient, verb: string, resource: string, name: string) {
  const [plural = "", subresource] = resource.split("/");
  const group = plural === "peers" ? "isthmus.dev" : "";
  const review = await client.request<{ status: { allowed: boolean } }>({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: {
        resourceAttributes: {
          verb,
          group,
          resource: plural,
          subresource,
          name,
          namespace: "isthmus-system",
        },
      },
    },
  });
  return review.status.allowed;
}

describe("link token", () => {
  test("joins: credentials that work, a Link and a Peer, and nothing is left of the token", async () => {
    const west = bed.open("west");
    const east = bed.open("east");
    const before = await held(bed);
    const token = await issue(bed);
    expect(await west.client.find(RESOURCES.peers, inSystem("east"))).toBeUndefined();
    await redeem(bed, token);
    const peer = await west.client.get<Peer>(RESOURCES.peers, inSystem("east"));
    expect(peer.spec).toEqual({
      clusterName: "east",
      identity: gatewayIdentity("east"),
      trustBundle: bed.east().ca.certificatePem,
    });
    const { spec } = await east.client.get<Link>(RESOURCES.links, inSystem("west"));
    expect(spec).toMatchObject({
      clusterName: "west",
      gateway: { addresses: ["127.0.0.1"], identity: gatewayIdentity("west") },
      trustBundle: bed.west().ca.certificatePem,
    });
    const secret = await east.client.get<Secret>(RESOURCES.secrets, inSystem("isthmus-link-west"));
    const kubeconfig = Buffer.from(secret.data?.[KUBECONFIG_KEY] ?? "", "base64").toString();
    const client = closedAtEnd(createKubeClient(parseLinkKubeconfig(kubeconfig, "Secret")));
    await client.list(RESOURCES.services);
    expect(await pendingAt(bed)).toBeUndefined();
    await untilRightsAreGone(bed);
    await unjoinBoth(bed);
    expect(await held(bed)).toEqual(before);
  });

  test("a token that was used is refused, at every gateway, with a word of warning", async () => {
    const token = await issue(bed);
    expect(await give(bed, requestOf(bed, token))).toMatchObject({ status: 200 });
    expect(await refusalOf(bed, requestOf(bed, token), 0)).toBe("TokenUsed");
    expect(await refusalOf(bed, requestOf(bed, token), 1)).toBe("TokenUsed");
    const failure = await failureOf(redeem(bed, token));
    expect(failure.message).toContain(
      "TokenUsed: the token was used already; if it was not by you",
    );
    expect(await bed.open("east").client.find(RESOURCES.links, inSystem("west"))).toBeUndefined();
  });

  test("of many tries at once, at two gateways, as many succeed as the token has uses", async () => {
    for (const uses of [1, 2]) {
      const token = await issue(bed, { uses });
      const answers = await Promise.all(
        [0, 1, 0, 1, 0, 1].map(
          async (at) => await give(bed, requestOf(bed, token), at === 0 ? 0 : 1),
        ),
      );
      const taken = answers.filter((answer) => answer?.status === 200);
      expect(taken).toHaveLength(uses);
      const reasons = answers.map((answer) => answer?.body.reason ?? "taken");
      expect(new Set(reasons)).toEqual(new Set(["taken", "TokenUsed"]));
    }
  });

  test("the gateway may exchange a token while it is pending, and nothing more", async () => {
    const [{ client }] = bed.gateways();
    const rights = async () =>
      await Promise.all(
        [
          ["get", "secrets", "isthmus-join-token-east"],
          ["update", "secrets", "isthmus-join-token-east"],
          ["create", "serviceaccounts/token", "isthmus-link-east"],
          ["patch", "peers", "east"],
          ["create", "peers", "east"],
          ["get", "secrets", "isthmus-join-token-north"],
          ["get", "secrets", "isthmus-ca"],
          ["create", "serviceaccounts/token", "isthmus-controller"],
          ["create", "serviceaccounts/token", "isthmus-link-north"],
          ["create", "peers", "north"],
          ["delete", "peers", "east"],
        ].map(
          async ([verb = "", resource = "", name = ""]) => await may(client, verb, resource, name),
        ),
      );
    await untilRightsAreGone(bed);
    expect(await rights()).toEqual(Array.from({ length: 11 }, () => false));
    await issue(bed);
    expect((await rights()).map((allowed, index) => (allowed ? index : -1))).toEqual([
      0, 1, 2, 3, 4, -1, -1, -1, -1, -1, -1,
    ]);
  });

  test("what is kept of a token is not the token", async () => {
    const token = await issue(bed);
    const { client } = bed.open("west");
    const { items } = await client.list<Secret>(RESOURCES.secrets, { namespace: "isthmus-system" });
    const kept = items.flatMap(({ data = {} }) =>
      Object.values(data).map((value) => Buffer.from(value, "base64").toString()),
    );
    expect(kept.join()).toContain(token.id);
    expect(kept.join()).not.toContain(token.secret);
  });
});

const CHANGES: Record<string, (token: JoinToken) => JoinToken> = {
  provider: (token) => ({ ...token, provider: "vest" }),
  consumer: (token) => ({ ...token, consumer: "north" }),
  id: (token) => ({
    ...token,
    id: `A${token.id.slice(1)}` === token.id ? `B${token.id.slice(1)}` : `A${token.id.slice(1)}`,
  }),
  secret: (token) => ({ ...token, secret: token.secret.split("").toReversed().join("") }),
  "gateway.addresses": (token) => ({
    ...token,
    gateway: { ...token.gateway, addresses: ["127.0.0.1", "127.0.0.2"] },
  }),
  "gateway.identity": (token) => ({
    ...token,
    gateway: { ...token.gateway, identity: gatewayIdentity("vest") },
  }),
  trustBundle: (token) => ({ ...token, trustBundle: `${token.trustBundle}\n` }),
  expiresAt: (token) => ({ ...token, expiresAt: "2099-01-01T00:00:00.000Z" }),
};

describe("a token that is not as it should be is refused, and not used up", () => {
  test.each([
    ["provider", "TokenChanged"],
    ["consumer", "TokenUnknown"],
    ["id", "TokenUnknown"],
    ["secret", "SecretWrong"],
    ["gateway.addresses", "TokenChanged"],
    ["gateway.identity", "TokenChanged"],
    ["trustBundle", "TokenChanged"],
    ["expiresAt", "TokenChanged"],
  ])("whose %s was changed", async (field, reason) => {
    const token = await issue(bed);
    const changed = CHANGES[field]?.(token) ?? token;
    expect(await refusalOf(bed, { ...requestOf(bed, token), ...requestOf(bed, changed) })).toBe(
      reason,
    );
    const asFile = async () => await redeem(bed, parseToken(formatToken(changed), "t.yaml"));
    expect((await failureOf(asFile())).exitCode).toBe(EXIT_CODES.failed);
    expect((await pendingAt(bed))?.usesLeft).toBe(1);
  });

  test("whose gateway is another's, of another CA or of another name: nothing of it is sent", async () => {
    const token = await issue(bed);
    const stranger = await createIdentity("west");
    const failure = await failureOf(
      redeem(bed, { ...token, trustBundle: stranger.ca.certificatePem }),
    );
    expect(failure.message).toContain("127.0.0.1");
    expect(failure.message).toContain("is not that gateway");
    expect(failure.fix).toContain("the token is not used up");
    const vest = { ...token, provider: "vest" };
    vest.gateway = { ...vest.gateway, identity: gatewayIdentity("vest") };
    expect((await failureOf(redeem(bed, vest))).message).toContain(
      "expected exactly spiffe://vest",
    );
  });

  test("that has expired, while another token has the gateway take some", async () => {
    await issue(bed, { consumer: "north" });
    const token = await issue(bed, { expiresMs: 500 });
    await eventually(() => expect(Date.now()).toBeGreaterThan(Date.parse(token.expiresAt)), {
      describe: "it has expired",
    });
    expect(await refusalOf(bed, requestOf(bed, token))).toBe("TokenExpired");
    expect((await failureOf(redeem(bed, token))).message).toBe(
      `the token expired at ${token.expiresAt}`,
    );
  });

  test("with another cluster's name, identity or certificates in the request", async () => {
    const token = await issue(bed);
    const request = requestOf(bed, token);
    const changed: Partial<JoinRequest>[] = [
      { identity: gatewayIdentity("north") },
      { trustBundle: bed.east().leaf.certificatePem },
      { trustBundle: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----" },
    ];
    for (const change of changed) {
      expect(await refusalOf(bed, { ...request, ...change })).toBe("IdentityInvalid");
    }
    await issue(bed, { consumer: "north" });
    expect(await refusalOf(bed, { ...request, consumer: "north" })).toBe("TokenUnknown");
    const [identity, trustBundle] = [gatewayIdentity("east"), bed.east().ca.certificatePem];
    expect(await give(bed, { ...request, identity, trustBundle })).toMatchObject({ status: 200 });
  });

  test("where a Peer of that name is another cluster", async () => {
    const { client } = bed.open("west");
    const { ca } = await createIdentity("east");
    const token = await issue(bed);
    const spec = { identity: gatewayIdentity("east"), trustBundle: ca.certificatePem };
    await client.remove(RESOURCES.peers, inSystem("east"));
    await client.create<Peer>(RESOURCES.peers, { metadata: inSystem("east"), spec });
    expect(await refusalOf(bed, requestOf(bed, token))).toBe("PeerExists");
    await client.remove(RESOURCES.peers, inSystem("east"));
    expect(await give(bed, requestOf(bed, token))).toMatchObject({ status: 200 });
  });
});

tokenCommands(bed);

test("neither gateway has logged a token, its secret or a credential", () => {
  const log = bed
    .gateways()
    .flatMap((gateway) => gateway.log)
    .join("");
  expect(log).toContain("joined by token");
  expect(log).toContain("join refused");
  expect(SECRETS.size).toBeGreaterThan(20);
  for (const secret of SECRETS) expect(log).not.toContain(secret);
});
