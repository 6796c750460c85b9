import { z } from "zod";
import { CA_ROTATION_ANNOTATIONS, CA_ROTATION_KEYS } from "../../api/names.ts";
import type { Secret } from "../../api/objects.ts";
import type { CertificateAndKey } from "../../pki/authority.ts";
import { mergeBundles } from "../../pki/trust.ts";
import { encode, type OwnAuthority } from "./own-secrets.ts";
import { phaseOf, type RotationPhase, type RotationProgress } from "./rotation.ts";

/** The rotation as the CA's Secret has it, and the merge patches that move it on. */

const progressSchema = z.object({
  id: z.string().optional(),
  phase: z.enum(["announcing", "announced", "switching", "switched"]),
  waitedSeconds: z.number().nonnegative(),
});

/** What of the Secret decides about a rotation. */
export interface RecordedRotation {
  readonly phase: RotationPhase;
  readonly progress: RotationProgress | undefined;
  readonly requested: string | undefined;
  readonly finished: string | undefined;
}

/**
 * Reads the rotation. The keys in the Secret decide its phase; a record that
 * is missing, damaged or of another phase only makes the wait begin anew.
 */
export function readRotation(
  secret: Secret,
  own: Pick<OwnAuthority, "next" | "previousPem">,
): RecordedRotation {
  const { annotations = {} } = secret.metadata;
  const recorded = readProgress(annotations[CA_ROTATION_ANNOTATIONS.progress]);
  const held = { next: own.next !== undefined, previous: own.previousPem !== undefined };
  const phase = phaseOf(held, recorded?.phase);
  return {
    phase,
    progress: recorded,
    requested: annotations[CA_ROTATION_ANNOTATIONS.requested],
    finished: annotations[CA_ROTATION_ANNOTATIONS.finished],
  };
}

/** Puts the next CA beside the one that signs. */
export function announcePatch(
  secret: Secret,
  next: CertificateAndKey,
  id: string | undefined,
  nowMs: number,
): object {
  return {
    metadata: metadataOf(secret, { id, phase: "announcing", waitedMs: 0 }, nowMs),
    data: {
      [CA_ROTATION_KEYS.nextCertificate]: encode(next.certificatePem),
      [CA_ROTATION_KEYS.nextKey]: encode(next.privateKeyPem),
    },
  };
}

/** Writes down how long the phase has lasted. */
export function recordPatch(secret: Secret, progress: RotationProgress, nowMs: number): object {
  return { metadata: metadataOf(secret, progress, nowMs) };
}

/** Makes the next CA the one that signs; of the one before only the certificate stays. */
export function switchPatch(
  secret: Secret,
  { authority, othersPem }: Pick<OwnAuthority, "authority" | "othersPem">,
  next: CertificateAndKey,
  id: string | undefined,
  nowMs: number,
): object {
  return {
    metadata: metadataOf(secret, { id, phase: "switching", waitedMs: 0 }, nowMs),
    data: {
      "tls.crt": encode(next.certificatePem),
      "tls.key": encode(next.privateKeyPem),
      "ca.crt": encode(mergeBundles([next.certificatePem, othersPem])),
      [CA_ROTATION_KEYS.previousCertificate]: encode(authority.certificatePem),
      [CA_ROTATION_KEYS.nextCertificate]: null,
      [CA_ROTATION_KEYS.nextKey]: null,
    },
  };
}

/** Drops the CA before, and with it the rotation; its request counts as carried out. */
export function retirePatch(secret: Secret, id: string | undefined): object {
  return {
    metadata: {
      resourceVersion: secret.metadata.resourceVersion,
      annotations: {
        [CA_ROTATION_ANNOTATIONS.progress]: null,
        ...(id !== undefined && { [CA_ROTATION_ANNOTATIONS.finished]: id }),
      },
    },
    data: { [CA_ROTATION_KEYS.previousCertificate]: null },
  };
}

/** Refused by the API server when the Secret changed since it was read. */
function metadataOf(secret: Secret, progress: RotationProgress, nowMs: number): object {
  const { id, phase, waitedMs } = progress;
  const record = {
    ...(id !== undefined && { id }),
    phase,
    waitedSeconds: waitedMs / 1000,
    at: new Date(nowMs).toISOString(),
  };
  return {
    resourceVersion: secret.metadata.resourceVersion,
    annotations: { [CA_ROTATION_ANNOTATIONS.progress]: JSON.stringify(record) },
  };
}

function readProgress(text: string | undefined): RotationProgress | undefined {
  if (text === undefined) return undefined;
  try {
    const { id, phase, waitedSeconds } = progressSchema.parse(JSON.parse(text));
    return { id, phase, waitedMs: waitedSeconds * 1000 };
  } catch {
    return undefined;
  }
}
