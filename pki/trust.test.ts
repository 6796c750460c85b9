import { beforeAll, expect, test } from "vitest";
import { type CertificateAndKey, createAuthority } from "./authority.ts";
import { parseBundle } from "./certificate.ts";
import {
  appendToBundle,
  dropExpired,
  holdsCertificate,
  sameBundle,
  withoutCertificate,
} from "./trust.ts";

const NOW_MS = Date.UTC(2026, 10, 21, 12);
const HOUR_MS = 3_600_000;

let older: CertificateAndKey;
let newer: CertificateAndKey;

beforeAll(async () => {
  older = await createAuthority({ clusterName: "west", nowMs: NOW_MS, lifetimeMs: HOUR_MS });
  newer = await createAuthority({ clusterName: "west", nowMs: NOW_MS });
});

test("a certificate added to a bundle stands beside the old one, and only once", () => {
  const both = appendToBundle(older.certificatePem, newer.certificatePem);
  expect(parseBundle(both)).toHaveLength(2);
  expect(appendToBundle(both, newer.certificatePem)).toBe(both);
});

test("bundles are the same whatever their order and layout", () => {
  const one = older.certificatePem + newer.certificatePem;
  const other = `# comment\n${newer.certificatePem}\n\n${older.certificatePem}`;
  expect(sameBundle(one, other)).toBe(true);
  expect(sameBundle(one, newer.certificatePem)).toBe(false);
});

test("expired CAs are dropped, but a bundle never becomes empty", () => {
  const both = appendToBundle(older.certificatePem, newer.certificatePem);
  const laterMs = NOW_MS + 2 * HOUR_MS;
  expect(sameBundle(dropExpired(both, laterMs), newer.certificatePem)).toBe(true);
  expect(sameBundle(dropExpired(older.certificatePem, laterMs), older.certificatePem)).toBe(true);
});

test("a certificate is found in a bundle and taken out of it, whatever else it holds", () => {
  const both = appendToBundle(older.certificatePem, newer.certificatePem);
  const rest = withoutCertificate(both, older.certificatePem);
  expect(sameBundle(rest, newer.certificatePem)).toBe(true);
  expect(holdsCertificate(both, older.certificatePem)).toBe(true);
  expect(holdsCertificate(rest, older.certificatePem)).toBe(false);
  expect(withoutCertificate(rest, newer.certificatePem)).toBe("");
});
