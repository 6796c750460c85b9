import { describe, expect, it } from "vitest";
import { lifetimeSeconds, readToken, renewTokenAtMs, tokenOf, withToken } from "./token.ts";

function jwt(claims: object): string {
  return `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
}

const SUB = "system:serviceaccount:isthmus-system:isthmus-link-east";
const HOUR = { iat: 1000, exp: 4600, sub: SUB };

const KUBECONFIG = `# written by hand
current-context: two
contexts:
  - {name: one, context: {cluster: a, user: first}}
  - {name: two, context: {cluster: a, user: second}}
clusters: []
users:
  - name: first
    user: {token: keep}
  - name: second
    user:
      token: old # the one in use
`;

describe("a link's token", () => {
  it("says whose it is and how long it lives", () => {
    const info = readToken(jwt(HOUR), 0);
    expect(info).toEqual({
      namespace: "isthmus-system",
      serviceAccount: "isthmus-link-east",
      issuedAtMs: 1_000_000,
      expiresAtMs: 4_600_000,
    });
    expect(info && lifetimeSeconds(info)).toBe(3600);
  });

  it.each([
    "opaque",
    "a.b.c",
    jwt({ sub: SUB }),
    jwt({ exp: 1, sub: "alice" }),
    jwt({ exp: 1, sub: "system:serviceaccount:../..:x" }),
  ])("is left alone when it is not a ServiceAccount's with an expiry: %s", (token) => {
    expect(readToken(token, 0)).toBeUndefined();
  });

  it("is renewed after four fifths of its life", () => {
    const info = readToken(jwt(HOUR), 0);
    expect(info && renewTokenAtMs(info)).toBe(1_000_000 + 0.8 * 3_600_000);
  });

  it("is kept for half of its life after a renewal, though the provider's clock is far behind", () => {
    const info = readToken(jwt(HOUR), 0);
    const renewedAtMs = 9_000_000;
    expect(info && renewTokenAtMs(info, renewedAtMs)).toBe(renewedAtMs + 1_800_000);
  });

  it("is replaced without touching anything else of the kubeconfig", () => {
    expect(tokenOf(KUBECONFIG)).toBe("old");
    expect(withToken(KUBECONFIG, "new")).toBe(KUBECONFIG.replace("token: old", 'token: "new"'));
  });

  it.each(["{", "current-context: x", "users: 7"])("is not found in %s", (text) => {
    expect(tokenOf(text)).toBeUndefined();
    expect(withToken(text, "new")).toBeUndefined();
  });
});
