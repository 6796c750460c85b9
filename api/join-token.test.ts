import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import {
  documentHashOf,
  JOIN_REFUSALS,
  JOIN_SERVER_NAME,
  JOIN_TOKEN_HEAD,
  type JoinToken,
  type PendingToken,
  pendingTokenData,
  readPendingToken,
  secretHashOf,
} from "./join-token.ts";
import { consumerOfServerName, gatewayIdentity, peerServerName } from "./names.ts";

const TOKEN: JoinToken = {
  ...JOIN_TOKEN_HEAD,
  provider: "west",
  consumer: "east",
  id: "i".repeat(22),
  secret: "s".repeat(43),
  gateway: { addresses: ["192.0.2.1"], port: 15008, identity: gatewayIdentity("west") },
  trustBundle: "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
  expiresAt: "2026-01-01T00:15:00.000Z",
};

test("every reason why a token is not taken is explained in docs/joining.md", () => {
  const page = readFileSync(path.join(import.meta.dirname, "../docs/joining.md"), "utf8");
  expect(Object.keys(JOIN_REFUSALS).filter((reason) => !page.includes(`\`${reason}\``))).toEqual(
    [],
  );
});

test("no consumer has the server name of joins", () => {
  expect(consumerOfServerName(JOIN_SERVER_NAME)).toBeUndefined();
  expect(peerServerName("join")).not.toBe(JOIN_SERVER_NAME);
});

describe("the hash of a document", () => {
  test("is another one when any field but the secret is", () => {
    const changed: JoinToken[] = [
      { ...TOKEN, provider: "vest" },
      { ...TOKEN, consumer: "eas" },
      { ...TOKEN, id: "j".repeat(22) },
      { ...TOKEN, gateway: { ...TOKEN.gateway, addresses: ["192.0.2.1", "192.0.2.2"] } },
      { ...TOKEN, gateway: { ...TOKEN.gateway, port: 443 } },
      { ...TOKEN, gateway: { ...TOKEN.gateway, identity: gatewayIdentity("vest") } },
      { ...TOKEN, trustBundle: `${TOKEN.trustBundle}\n` },
      { ...TOKEN, expiresAt: "2026-01-01T00:16:00.000Z" },
    ];
    const hashes = [TOKEN, ...changed].map((token) => documentHashOf(token));
    expect(new Set(hashes).size).toBe(hashes.length);
    const other: JoinToken = { ...TOKEN, secret: "t".repeat(43) };
    expect(documentHashOf(other)).toBe(hashes[0]);
  });
});

function base64Of(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64");
}

test("what is kept of a token is read as it was written, and undefined when it is anything else", () => {
  const pending: PendingToken = {
    consumer: "east",
    id: TOKEN.id,
    secretHash: secretHashOf(TOKEN.secret),
    documentHash: documentHashOf(TOKEN),
    expiresAt: TOKEN.expiresAt,
    uses: 2,
    usesLeft: 1,
    madeAccount: true,
    apiServer: { url: "https://api.west:6443" },
    gateway: {},
  };
  const metadata = { name: "isthmus-join-token-east" };
  expect(readPendingToken({ metadata, data: pendingTokenData(pending) })).toEqual(pending);
  for (const data of [
    {},
    { pending: "" },
    { pending: "e30=" },
    { pending: base64Of({ ...pending, usesLeft: -1 }) },
  ]) {
    expect(readPendingToken({ metadata, data })).toBeUndefined();
  }
});
