import { generateKeyPairSync } from "node:crypto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { TerminalError } from "../../api/errors.ts";
import { parseLinkKubeconfig } from "./kubeconfig.ts";

const SECRET = "Secret isthmus-system/isthmus-link-west";
const TOKEN = "eyJhbGciOi.token.value";
/** A certificate that vouches for nothing. */
const CA = Buffer.from(`-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIUSSsTOdvMTxB1wlEBhqEewK2ihbMwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjEwODQwNTFaFw0zNjExMTgwODQwNTFa
MA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASCaX3G
FsIjpV6mRc1oK+uc66HojGcZ6JJbv52he4MuqRHwT9eJwjLh8tVGM+oz2Tpz2Wjx
xm6xN5ZtvdKUsE4Ho1MwUTAdBgNVHQ4EFgQUr3Dfi49Ia2bX8OVQXNQAEmsx36gw
HwYDVR0jBBgwFoAUr3Dfi49Ia2bX8OVQXNQAEmsx36gwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNIADBFAiEA9pZWR6+486yyRTVSZJRTcO1oHKlZ17QuGCJZ
ImRy0dACIBUzq7fN/NxX/40u5qiYxgQ395FH2j36xefRIde0qDO2
-----END CERTIFICATE-----
`).toString("base64");
const KEY = Buffer.from(
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  }),
).toString("base64");

/** A good kubeconfig with parts of it replaced. */
function kubeconfig(changes: { cluster?: object; user?: object; top?: object } = {}): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "west",
    contexts: [{ name: "west", context: { cluster: "west", user: "link" } }],
    clusters: [
      {
        name: "west",
        cluster: {
          server: "https://west.example:6443/",
          "certificate-authority-data": CA,
          ...changes.cluster,
        },
      },
    ],
    users: [{ name: "link", user: { token: TOKEN, ...changes.user } }],
    ...changes.top,
  });
}

function complaintOf(text: string): TerminalError {
  try {
    parseLinkKubeconfig(text, SECRET);
  } catch (error) {
    if (error instanceof TerminalError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

test("a token or a client certificate is accepted, and only what is used is kept", () => {
  const config = parseLinkKubeconfig(
    kubeconfig({ user: { token: `${TOKEN}\n` }, cluster: { "tls-server-name": "api.west" } }),
    SECRET,
  );
  expect(config.getCurrentCluster()).toMatchObject({
    server: "https://west.example:6443",
    caData: CA,
    tlsServerName: "api.west",
    skipTLSVerify: false,
  });
  expect(config.getCurrentUser()?.token).toBe(TOKEN);
  const user = { token: undefined, "client-certificate-data": CA, "client-key-data": KEY };
  expect(parseLinkKubeconfig(kubeconfig({ user }), SECRET).getCurrentUser()).toMatchObject({
    certData: CA,
    keyData: KEY,
  });
});

test("false and empty are as good as absent", () => {
  const cluster = { "insecure-skip-tls-verify": false, "proxy-url": "" };
  expect(() =>
    parseLinkKubeconfig(kubeconfig({ cluster, user: { exec: null } }), SECRET),
  ).not.toThrow();
});

test.each([
  ["cluster.insecure-skip-tls-verify", { cluster: { "insecure-skip-tls-verify": true } }],
  ["cluster.certificate-authority", { cluster: { "certificate-authority": "/etc/passwd" } }],
  ["cluster.proxy-url", { cluster: { "proxy-url": "http://proxy:3128" } }],
  ["cluster.server with http://", { cluster: { server: "http://west.example" } }],
  ["cluster.server with file://", { cluster: { server: "file:///etc/passwd" } }],
  ["cluster.server with more than", { cluster: { server: "https://a:b@west.example" } }],
  ["user.exec", { user: { exec: { command: "/bin/sh", args: ["-c", "id"] } } }],
  ["user.auth-provider", { user: { "auth-provider": { name: "gcp" } } }],
  ["user.client-certificate", { user: { "client-certificate": "/tls.crt" } }],
  ["user.client-key", { user: { "client-key": "/tls.key" } }],
  [
    "user.tokenFile",
    { user: { tokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token" } },
  ],
  ["user.token-file", { user: { "token-file": "/var/run/token" } }],
  ["user.username", { user: { username: "admin", password: "secret" } }],
  ["user.as", { user: { as: "system:admin" } }],
])("%s is refused, with what to write instead", (what, changes) => {
  const error = complaintOf(kubeconfig(changes));
  expect(error.reason).toBe("KubeconfigRefused");
  expect(error.message).toContain(`${SECRET}: kubeconfig: ${what}`);
  expect(error.message).toMatch(/ is refused; (use|put|set|make|write) /);
});

test.each([
  ["not YAML", "{[token: eyJhbGciOi.token.value"],
  ["the document", "just text"],
  ["the document", ""],
  ["current-context", kubeconfig({ top: { "current-context": "" } })],
  ["current-context names no context", kubeconfig({ top: { "current-context": "east" } })],
  ["contexts[].context.cluster names no cluster", kubeconfig({ top: { clusters: [] } })],
  ["contexts[].context.user names no user", kubeconfig({ top: { users: [] } })],
  ["clusters.0.cluster.server", kubeconfig({ cluster: { server: 6443 } })],
  ["cluster.server is no URL", kubeconfig({ cluster: { server: "west.example" } })],
  [
    "cluster.certificate-authority-data is no certificate",
    kubeconfig({ cluster: { "certificate-authority-data": "bm90IGEgY2VydA==" } }),
  ],
  ["user has no credentials", kubeconfig({ user: { token: undefined } })],
  ["user.token has characters", kubeconfig({ user: { token: "a\r\nHost: evil" } })],
  ["user has only one of", kubeconfig({ user: { "client-certificate-data": CA } })],
  [
    "user.client-key-data is no private key",
    kubeconfig({ user: { "client-certificate-data": CA, "client-key-data": CA } }),
  ],
  ["more than 64 KiB", kubeconfig({ user: { token: "x".repeat(70_000) } })],
])("%s: invalid, with the Secret's name and without its content", (what, text) => {
  const error = complaintOf(text);
  expect(error.reason).toBe("KubeconfigInvalid");
  expect(error.message).toContain(`${SECRET}: kubeconfig: ${what}`);
  expect(error.message).not.toContain(TOKEN);
});

test("a bomb of YAML aliases is refused before it unfolds", () => {
  const levels = Array.from({ length: 30 }, (_, level) =>
    level === 0 ? "l0: &l0 [x, x]" : `l${level}: &l${level} [*l${level - 1}, *l${level - 1}]`,
  );
  expect(complaintOf(levels.join("\n")).reason).toBe("KubeconfigInvalid");
});

test("whatever the Secret holds, it is accepted or refused with a reason", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.object().map((value) => stringify({ ...value })),
      ),
      (text) => {
        expect(["KubeconfigInvalid", "KubeconfigRefused"]).toContain(complaintOf(text).reason);
      },
    ),
  );
});
