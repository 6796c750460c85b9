import { describe, expect, it } from "vitest";
import { lifetimeSeconds, readToken, TokenAges, tokenOf, withToken } from "./token.ts";

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

  it("is replaced without touching anything else of the kubeconfig", () => {
    expect(tokenOf(KUBECONFIG)).toBe("old");
    expect(withToken(KUBECONFIG, "new")).toBe(KUBECONFIG.replace("token: old", 'token: "new"'));
  });

  it.each(["{", "current-context: x", "users: 7"])("is not found in %s", (text) => {
    expect(tokenOf(text)).toBeUndefined();
    expect(withToken(text, "new")).toBeUndefined();
  });
});

describe("the age of a link's token", () => {
  const HOUR_MS = 3_600_000;
  const MINUTE_MS = 60_000;
  const WALL_MS = 50 * HOUR_MS;
  const time = { monotonicMs: 0 };
  const newAges = () => new TokenAges({ monotonicMs: () => time.monotonicMs, random: () => 0.5 });

  /** Of an hour, as a provider issues it whose clock is ahead of ours by `skewMs`. */
  function issued(skewMs: number, lifeMs = HOUR_MS) {
    const iat = (WALL_MS + skewMs) / 1000;
    const token = jwt({ iat, exp: iat + lifeMs / 1000, sub: SUB });
    const info = readToken(token, WALL_MS);
    if (info === undefined) throw new Error("not a token");
    return { token, info };
  }

  it.each([-10, 0, 10])(
    "counts from when it came, with the provider's clock %d minutes off",
    (skewMinutes) => {
      const ages = newAges();
      const { token, info } = issued(skewMinutes * MINUTE_MS);
      ages.received("west", token);
      expect(ages.judge("west", token, info, WALL_MS)).toEqual({
        ageMs: 0,
        dueInMs: 0.75 * HOUR_MS,
      });
      time.monotonicMs += 45 * MINUTE_MS;
      expect(ages.judge("west", token, info, WALL_MS).dueInMs).toBe(0);
    },
  );

  it.each([-10, 0, 10])(
    "is never taken for younger than it is when it comes from elsewhere, clocks %d minutes off",
    (skewMinutes) => {
      const { token, info } = issued(skewMinutes * MINUTE_MS);
      const trueAgeMs = 20 * MINUTE_MS;
      const { ageMs, dueInMs } = newAges().judge("west", token, info, WALL_MS + trueAgeMs);
      expect(ageMs).toBeGreaterThanOrEqual(trueAgeMs);
      expect(ageMs).toBeLessThanOrEqual(trueAgeMs + 20 * MINUTE_MS);
      expect(dueInMs).toBeLessThanOrEqual(0.75 * HOUR_MS - trueAgeMs);
    },
  );

  it("does not follow a step of our own clock", () => {
    const ages = newAges();
    const { token, info } = issued(0);
    ages.received("west", token);
    time.monotonicMs += MINUTE_MS;
    for (const stepMs of [-5 * HOUR_MS, 5 * HOUR_MS]) {
      expect(ages.judge("west", token, info, WALL_MS + stepMs).ageMs).toBe(MINUTE_MS);
    }
  });

  it("begins anew with another token", () => {
    const ages = newAges();
    const first = issued(0);
    ages.received("west", first.token);
    time.monotonicMs += 50 * MINUTE_MS;
    const second = issued(MINUTE_MS);
    ages.received("west", second.token);
    expect(ages.judge("west", second.token, second.info, WALL_MS).ageMs).toBe(0);
  });

  it("makes a token with the shortest life due at once when nobody knows when it came", () => {
    const { token, info } = issued(10 * MINUTE_MS, 10 * MINUTE_MS);
    const { dueInMs } = newAges().judge("west", token, info, WALL_MS + 8 * MINUTE_MS);
    expect(dueInMs).toBeLessThanOrEqual(0);
  });
});
