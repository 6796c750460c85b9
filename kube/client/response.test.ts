import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ApiError, isApiError, KubeConnectionError, toConnectionError } from "./api-error.ts";
import { apiErrorOf, foreignAnswer, parseJson, retryAfterMs } from "./response.ts";

const NOW_MS = Date.parse("2026-01-01T00:00:00Z");

describe("Retry-After", () => {
  test.each([
    ["7", 7000],
    ["0", 0],
    ["Thu, 01 Jan 2026 00:00:05 GMT", 5000],
    ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
    ["soon", undefined],
    [undefined, undefined],
  ])("%s means %s ms", (header, expected) => {
    expect(retryAfterMs(header, NOW_MS)).toBe(expected);
  });
});

describe("an error answer", () => {
  test("takes reason and message from its Status", () => {
    const body = {
      kind: "Status",
      reason: "AlreadyExists",
      message: 'services "web"\nalready exists',
      code: 409,
    };
    const error = apiErrorOf(
      { statusCode: 409, headers: {} },
      JSON.stringify(body),
      "POST https://x/y",
      NOW_MS,
    );
    expect(error).toMatchObject({ statusCode: 409, reason: "AlreadyExists", body });
    expect(error.message).toBe(
      'POST https://x/y: 409 AlreadyExists: services "web" already exists',
    );
  });

  test("of something else gets its reason from the code and a bounded message", () => {
    const error = apiErrorOf(
      { statusCode: 503, headers: {} },
      "<html>".repeat(1000),
      "GET https://x",
      NOW_MS,
    );
    expect(error).toMatchObject({ statusCode: 503, reason: "ServiceUnavailable", body: undefined });
    expect(error.message.length).toBeLessThan(600);
  });

  test("says how long to wait in its header or in its Status", () => {
    const body = JSON.stringify({ kind: "Status", details: { retryAfterSeconds: 3 } });
    const fromBody = apiErrorOf({ statusCode: 429, headers: {} }, body, "GET https://x", NOW_MS);
    const headers = { "retry-after": "2" };
    const fromHeader = apiErrorOf({ statusCode: 429, headers }, body, "GET https://x", NOW_MS);
    expect([fromBody.retryAfterMs, fromHeader.retryAfterMs]).toEqual([3000, 2000]);
  });
});

test("an answer that asks for an hour of patience gets half a minute", () => {
  const headers = { "retry-after": "3600" };
  const body = JSON.stringify({ kind: "Status", details: { retryAfterSeconds: 3600 } });
  for (const error of [
    apiErrorOf({ statusCode: 429, headers }, "", "GET https://x", NOW_MS),
    apiErrorOf({ statusCode: 429, headers: {} }, body, "GET https://x", NOW_MS),
  ]) {
    expect(error.retryAfterMs).toBe(30_000);
  }
});

test("whatever an error answer says, it is read or left out, never trusted", () => {
  const fields = { kind: fc.constant("Status"), message: fc.jsonValue(), reason: fc.jsonValue() };
  const more = {
    code: fc.jsonValue(),
    details: fc.oneof(fc.jsonValue(), fc.record({ causes: fc.jsonValue() })),
  };
  const body = fc
    .oneof(fc.record({ ...fields, ...more }), fc.jsonValue())
    .map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(
      fc.oneof(body, fc.string()),
      fc.integer({ min: 400, max: 599 }),
      (text, statusCode) => {
        const error = apiErrorOf({ statusCode, headers: {} }, text, "GET https://x", NOW_MS);
        expect(error.message.length).toBeLessThan(600);
        expect(error.reason).toMatch(/^[A-Za-z]+$/);
        expect(typeof (error.body?.message ?? "")).toBe("string");
        expect(error.body?.details?.causes ?? []).toBeInstanceOf(Array);
      },
    ),
  );
});

test.each([
  [302, ""],
  [304, ""],
  [404, "<html>not here</html>"],
])("status %i with %j is no answer of an API server", (statusCode, text) => {
  expect(foreignAnswer(statusCode, text)).toContain(`answered ${statusCode}`);
});

test.each([
  [404, JSON.stringify({ kind: "Status", reason: "NotFound", code: 404 })],
  [404, "404 page not found\n"],
  [503, "<html>away</html>"],
])("status %i with %j may be one", (statusCode, text) => {
  expect(foreignAnswer(statusCode, text)).toBeUndefined();
});

test("isApiError knows reasons, codes, and any of them", () => {
  const error: unknown = new ApiError({ statusCode: 404, operation: "GET https://x" });
  expect(isApiError(error)).toBe(true);
  expect(isApiError(error, 404)).toBe(true);
  expect(isApiError(error, "Conflict", "NotFound")).toBe(true);
  expect(isApiError(error, 409, "Conflict")).toBe(false);
  expect(isApiError(new Error("404"), 404)).toBe(false);
});

test.each(["", "<html></html>", '"text"', "null", "[1"])(
  "%j is no object of Kubernetes",
  (text) => {
    expect(() => parseJson(text, "application/json", "GET https://x", "https://x")).toThrow(
      KubeConnectionError,
    );
  },
);

test.each([
  ["ECONNREFUSED", "network"],
  ["UND_ERR_SOCKET", "network"],
  ["UND_ERR_CONNECT_TIMEOUT", "timeout"],
  ["ETIMEDOUT", "timeout"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "tls"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls"],
  ["CERT_HAS_EXPIRED", "tls"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "tls"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "tls"],
  ["TRUNCATED", "protocol"],
  ["UND_ERR_HEADERS_OVERFLOW", "protocol"],
  ["HPE_INVALID_CONSTANT", "protocol"],
])("%s is a failure of kind %s, found beneath wrappers", (code, failure) => {
  const cause = Object.assign(new Error("down below"), { code });
  const wrapped = new Error("fetch failed", { cause: new AggregateError([cause]) });
  const error = toConnectionError(wrapped, "https://server:6443");
  expect(error).toMatchObject({ code, failure, server: "https://server:6443" });
  expect(error.message).toContain("https://server:6443: down below");
});
