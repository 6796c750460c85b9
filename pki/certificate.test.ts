import { beforeAll, describe, expect, test } from "vitest";
import { TerminalError } from "../api/errors.ts";
import { type CertificateAndKey, BACKDATE_MS, createAuthority, issueLeaf } from "./authority.ts";
import {
  isVouchedFor,
  MAX_BUNDLE_BYTES,
  MAX_BUNDLE_CERTIFICATES,
  parseBundle,
  parseCertificate,
  renewAtMs,
  verifyLeaf,
} from "./certificate.ts";

const NOW_MS = Date.UTC(2026, 10, 21, 12);
const HOUR_MS = 3_600_000;
const IDENTITY = "spiffe://west/isthmus/gateway";

let west: CertificateAndKey;
let east: CertificateAndKey;
let leaf: CertificateAndKey;

beforeAll(async () => {
  west = await createAuthority({ clusterName: "west", nowMs: NOW_MS });
  east = await createAuthority({ clusterName: "east", nowMs: NOW_MS });
  leaf = await issueLeaf(west, { identity: IDENTITY, nowMs: NOW_MS });
});

describe("what is issued", () => {
  test("a CA says whose it is and lives ten years", () => {
    const info = parseCertificate(west.certificatePem);
    expect(info).toMatchObject({ subject: "CN=isthmus CA west", isAuthority: true, uriSans: [] });
    expect(info.notAfterMs).toBe(NOW_MS + 3650 * 24 * HOUR_MS);
  });

  test("a leaf names its identity, begins before now and ends after a day", () => {
    const info = parseCertificate(leaf.certificatePem);
    expect(info).toMatchObject({ uriSans: [IDENTITY], isAuthority: false });
    expect(info.notBeforeMs).toBe(NOW_MS - BACKDATE_MS);
    expect(info.notAfterMs).toBe(NOW_MS + 24 * HOUR_MS);
  });

  test("a leaf never outlives its CA", async () => {
    const short = await createAuthority({ clusterName: "w", nowMs: NOW_MS, lifetimeMs: HOUR_MS });
    const issued = await issueLeaf(short, { identity: IDENTITY, nowMs: NOW_MS });
    expect(parseCertificate(issued.certificatePem).notAfterMs).toBe(NOW_MS + HOUR_MS);
  });

  test("renewal is due after two thirds of the life", () => {
    expect(renewAtMs({ notBeforeMs: 1000, notAfterMs: 4000 })).toBe(3000);
  });
});

/** The verdict on west's leaf, with some of the circumstances changed. */
function verify(over: Partial<Parameters<typeof verifyLeaf>[0]>) {
  return verifyLeaf({
    certificatePem: leaf.certificatePem,
    bundlePem: west.certificatePem,
    identity: IDENTITY,
    nowMs: NOW_MS,
    ...over,
  });
}

describe("a leaf is refused", () => {
  test("never when all is well, also from the second CA of a bundle", () => {
    expect(verify({})).toEqual({ ok: true });
    expect(verify({ bundlePem: east.certificatePem + west.certificatePem })).toEqual({ ok: true });
  });

  test("when another CA signed it", () => {
    expect(verify({ bundlePem: east.certificatePem })).toMatchObject({
      ok: false,
      reason: "CertificateUntrusted",
    });
  });

  test("when a CA of the same name but another key signed it", async () => {
    const impostor = await createAuthority({ clusterName: "west", nowMs: NOW_MS });
    expect(verify({ bundlePem: impostor.certificatePem })).toMatchObject({
      reason: "CertificateUntrusted",
    });
  });

  test("when it names another identity, a longer one, or two", async () => {
    expect(verify({ identity: "spiffe://east/isthmus/gateway" })).toMatchObject({
      reason: "IdentityMismatch",
    });
    expect(verify({ identity: `${IDENTITY}/more` })).toMatchObject({ reason: "IdentityMismatch" });
  });

  test("when it is not valid yet or has expired", () => {
    expect(verify({ nowMs: NOW_MS - 16 * 60_000 })).toMatchObject({
      reason: "CertificateUntrusted",
    });
    expect(verify({ nowMs: NOW_MS + 25 * HOUR_MS })).toMatchObject({
      reason: "CertificateExpired",
    });
  });

  test("when it is not valid yet though its CA is", async () => {
    const later = await issueLeaf(west, { identity: IDENTITY, nowMs: NOW_MS + HOUR_MS });
    expect(verify({ certificatePem: later.certificatePem })).toMatchObject({
      reason: "CertificateNotYetValid",
    });
  });

  test("when it is the CA itself", () => {
    expect(verify({ certificatePem: west.certificatePem })).toMatchObject({
      reason: "KeyUsageInvalid",
    });
  });

  test("when it is not a certificate", () => {
    expect(verify({ certificatePem: "hello" })).toMatchObject({ reason: "CertificateInvalid" });
  });
});

describe("a bundle", () => {
  test("yields each of its certificates, whatever stands between them", () => {
    const bundle = `# old\n${west.certificatePem}\n# new\r\n${east.certificatePem}`;
    expect(parseBundle(bundle).map(({ subject }) => subject)).toEqual([
      "CN=isthmus CA west",
      "CN=isthmus CA east",
    ]);
  });

  test.each([
    ["is empty", () => "", "no certificate"],
    ["is not PEM", () => "eyJhbGciOi", "no certificate"],
    ["is too large", () => "#".repeat(MAX_BUNDLE_BYTES + 1), "bytes"],
    [
      "holds too many",
      () => west.certificatePem.repeat(MAX_BUNDLE_CERTIFICATES + 1),
      "17 certificates",
    ],
    ["holds a private key", () => west.certificatePem + west.privateKeyPem, "private key"],
    ["ends in the middle", () => west.certificatePem.slice(0, -20), "not a whole certificate"],
    [
      "holds damaged DER",
      () => west.certificatePem.replace(/\nM[\s\S]{20}/, "\nAAAAAAAAAAAAAAAAAAAAA"),
      "cannot be parsed",
    ],
  ])("that %s is refused with what is wrong", (_what, pem, message) => {
    const parse = () => parseBundle(pem());
    expect(parse).toThrow(TerminalError);
    expect(parse).toThrow(message);
  });
});

describe("a connection made before", () => {
  test("is vouched for as long as the bundle has its CA, also when its certificate has ended since", async () => {
    const short = await issueLeaf(west, { identity: IDENTITY, nowMs: 0, lifetimeMs: HOUR_MS });
    const { certificatePem } = short;
    const vouched = (bundlePem: string, identity: string) =>
      isVouchedFor({ certificatePem, bundlePem, identity });
    expect(vouched(east.certificatePem + west.certificatePem, IDENTITY)).toBe(true);
    expect(vouched(east.certificatePem, IDENTITY)).toBe(false);
    expect(vouched(west.certificatePem, "spiffe://east/isthmus/gateway")).toBe(false);
    expect(vouched("?", IDENTITY)).toBe(false);
  });
});
