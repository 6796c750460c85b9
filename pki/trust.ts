import { X509Certificate } from "node:crypto";
import { parseBundle, parseCertificate, splitPem } from "./certificate.ts";

/**
 * The bundle with a certificate added at its end, each certificate once (by
 * fingerprint): old and new CA overlap in it while a CA is rotated. Throws a
 * TerminalError when either is not certificates or the result exceeds the
 * bounds of {@link parseBundle}.
 */
export function appendToBundle(bundlePem: string, certificatePem: string): string {
  return mergeBundles([bundlePem, certificatePem]);
}

/** All certificates of the bundles in order, each once. Throws as {@link appendToBundle}. */
export function mergeBundles(bundles: readonly string[]): string {
  const byFingerprint = new Map<string, string>();
  for (const block of bundles.flatMap((bundle) => splitPem(bundle))) {
    const { fingerprint } = parseCertificate(block);
    byFingerprint.set(fingerprint, byFingerprint.get(fingerprint) ?? normalised(block));
  }
  const merged = [...byFingerprint.values()].join("");
  parseBundle(merged);
  return merged;
}

/**
 * The bundle without the CAs that have expired at `nowMs`. The newest is kept
 * even then, so that a bundle never becomes empty by itself.
 */
export function dropExpired(bundlePem: string, nowMs: number): string {
  const certificates = splitPem(bundlePem).map((block) => ({
    block,
    info: parseCertificate(block),
  }));
  const newestMs = Math.max(...certificates.map(({ info }) => info.notAfterMs));
  return certificates
    .filter(({ info }) => info.notAfterMs >= nowMs || info.notAfterMs === newestMs)
    .map(({ block }) => normalised(block))
    .join("");
}

/** The bundle without this certificate; empty when it held nothing else. Throws as {@link parseBundle}. */
export function withoutCertificate(bundlePem: string, certificatePem: string): string {
  const { fingerprint } = parseCertificate(certificatePem);
  return splitPem(bundlePem)
    .filter((block) => parseCertificate(block).fingerprint !== fingerprint)
    .map(normalised)
    .join("");
}

/** Whether the bundle holds this certificate. Throws as {@link parseBundle}. */
export function holdsCertificate(bundlePem: string, certificatePem: string): boolean {
  const { fingerprint } = parseCertificate(certificatePem);
  return parseBundle(bundlePem).some((member) => member.fingerprint === fingerprint);
}

/** Whether two bundles hold the same certificates, whatever their order and layout. */
export function sameBundle(left: string, right: string): boolean {
  return fingerprints(left) === fingerprints(right);
}

function fingerprints(pem: string): string {
  return [...new Set(parseBundle(pem).map(({ fingerprint }) => fingerprint))].toSorted().join();
}

function normalised(block: string): string {
  return `${new X509Certificate(block).toString().trimEnd()}\n`;
}
