import { z } from "zod";
import type { Clock } from "../../../api/clock.ts";
import {
  CA_ROTATION_ANNOTATIONS,
  CA_ROTATION_KEYS,
  CA_SECRET_NAME,
  CLI_FIELD_MANAGER,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import type { Reporter } from "../reporter.ts";
import { type Sighting, waitUntil } from "../wait-until.ts";

export type RotationGoal = "announced" | "finished";

interface TargetOptions {
  access: ClusterAccess;
  timeoutMs: number;
  reporter: Reporter;
  clock: Clock;
  signal: AbortSignal;
}

export interface RotateOptions extends TargetOptions {
  until: RotationGoal;
}

const CA_KEY = { namespace: INSTALL_NAMESPACE, name: CA_SECRET_NAME };
const SECRET_WORDS = `Secret ${INSTALL_NAMESPACE}/${CA_SECRET_NAME}`;
const recordSchema = z.object({ phase: z.string(), waitedSeconds: z.number() });

/**
 * Asks for a rotation of the cluster's CA, unless one is under way, and waits
 * until the next CA is announced or the one before is dropped.
 * @throws CliError when there is no CA of ours, or (not ready) when it takes longer than `timeoutMs`.
 */
export async function rotateAuthority(options: RotateOptions): Promise<void> {
  const { access, reporter, clock, signal, timeoutMs, until } = options;
  const context = access.contextName;
  const before = await ownAuthority(options);
  const phase = phaseOf(before);
  if (phase === undefined) {
    await annotate(options, { [CA_ROTATION_ANNOTATIONS.requested]: requestId(clock) });
    reporter.done("rotation of the CA requested");
  } else {
    reporter.info(`a rotation is under way already: ${phase}`);
  }
  await waitUntil(
    `rotation of the CA of ${context}`,
    async () => reached(await ownAuthority(options), until),
    {
      clock,
      signal,
      timeoutMs,
      onMissing: (missing) => reporter.progress(missing),
      fix: `it goes on by itself; see why it waits: kubectl --context ${context} -n ${INSTALL_NAMESPACE} get events.events.k8s.io --field-selector regarding.name=${CA_SECRET_NAME}`,
    },
  );
  if (until === "finished") {
    reporter.done("the new CA signs, and the one before is dropped");
    return;
  }
  reporter.done("the new CA is announced; linked clusters take it over, then it signs");
  reporter.next(
    `link rotate ca --context ${context} --until finished --timeout 150m`,
    `Next, wait for the end (undo, until it signs: link rotate ca --context ${context} --abort)`,
  );
}

/**
 * Takes back a rotation whose next CA does not sign yet.
 * @throws CliError when it signs already.
 */
export async function abortRotation(options: TargetOptions): Promise<void> {
  const { access, reporter, signal } = options;
  const secret = await ownAuthority(options);
  const phase = phaseOf(secret);
  if (secret.data?.[CA_ROTATION_KEYS.previousCertificate] !== undefined) {
    throw new CliError("the new CA signs already: the rotation cannot be taken back", {
      fix: `let it end; then, if need be, rotate again: link rotate ca --context ${access.contextName}`,
    });
  }
  if (phase === undefined) {
    reporter.done("no rotation is under way; nothing to do");
    return;
  }
  await access.client.patch<Secret>(
    RESOURCES.secrets,
    CA_KEY,
    {
      // Refused when the controller has gone on meanwhile.
      metadata: {
        resourceVersion: secret.metadata.resourceVersion,
        annotations: {
          [CA_ROTATION_ANNOTATIONS.requested]: null,
          [CA_ROTATION_ANNOTATIONS.progress]: null,
        },
      },
      data: { [CA_ROTATION_KEYS.nextCertificate]: null, [CA_ROTATION_KEYS.nextKey]: null },
    },
    { type: "merge", fieldManager: CLI_FIELD_MANAGER, signal },
  );
  reporter.done("the rotation is taken back; the CA stays as it was");
}

/** Each request once: the time, to be read by people. */
function requestId(clock: Clock): string {
  return new Date(clock.nowMs()).toISOString();
}

async function ownAuthority({ access, signal }: TargetOptions): Promise<Secret> {
  const secret = await access.client.find<Secret>(RESOURCES.secrets, CA_KEY, { signal });
  const context = access.contextName;
  if (secret === undefined) {
    throw new CliError(`context ${context}: ${SECRET_WORDS} does not exist`, {
      fix: `link install --context ${context}; where cert-manager keeps the gateways' certificate, rotate its issuer instead`,
    });
  }
  if (secret.metadata.labels?.[LABELS.managedBy] !== MANAGED_BY) {
    throw new CliError(`context ${context}: ${SECRET_WORDS} was not made by Isthmus`, {
      fix: "rotate the CA where it is kept",
    });
  }
  return secret;
}

async function annotate(
  { access, signal }: TargetOptions,
  annotations: Record<string, string>,
): Promise<void> {
  const { client } = access;
  const options = { type: "merge", fieldManager: CLI_FIELD_MANAGER, signal } as const;
  await client.patch<Secret>(RESOURCES.secrets, CA_KEY, { metadata: { annotations } }, options);
}

/** What is under way, in words; undefined when nothing is, and nothing is asked for. */
function phaseOf({ metadata: { annotations = {} }, data = {} }: Secret): string | undefined {
  const requested = annotations[CA_ROTATION_ANNOTATIONS.requested];
  const asked =
    requested !== undefined && requested !== annotations[CA_ROTATION_ANNOTATIONS.finished];
  const record = readRecord(annotations[CA_ROTATION_ANNOTATIONS.progress]);
  const waited = record === undefined ? "" : `, ${record.phase} ${record.waitedSeconds} s`;
  if (data[CA_ROTATION_KEYS.previousCertificate] !== undefined) {
    return `the new CA signs, the one before is still trusted${waited}`;
  }
  if (data[CA_ROTATION_KEYS.nextCertificate] !== undefined) {
    return `the new CA is there and does not sign yet${waited}`;
  }
  return asked ? "requested; the controller has not begun" : undefined;
}

function reached(secret: Secret, until: RotationGoal): Sighting<true> {
  const phase = phaseOf(secret);
  if (phase === undefined) return { found: true };
  const record = readRecord(secret.metadata.annotations?.[CA_ROTATION_ANNOTATIONS.progress]);
  const isAnnounced = record !== undefined && record.phase !== "announcing";
  return until === "announced" && isAnnounced ? { found: true } : { missing: phase };
}

function readRecord(text: string | undefined): z.infer<typeof recordSchema> | undefined {
  try {
    return recordSchema.parse(JSON.parse(text ?? ""));
  } catch {
    return undefined;
  }
}
