import { hostname } from "node:os";
import { z } from "zod";
import { dnsLabelSchema } from "../../api/names-schema.ts";
import { CONTROLLER_HEALTH_PORT } from "../../api/names.ts";
import {
  logLevelSchema,
  namespaceListSchema,
  portSchema,
  readEnvironment,
  readFlags,
} from "../settings/settings.ts";

const durationSchema = z.coerce.number().int().min(100).max(3_600_000);

/** At least what linked clusters take to follow a bundle; at most what a CA's last third leaves time for. */
const overlapSecondsSchema = z.coerce.number().int().min(10).max(604_800);

const flagsSchema = z.strictObject({
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).optional(),
  host: z.string().min(1).optional(),
  "health-port": portSchema.default(CONTROLLER_HEALTH_PORT),
  "lease-duration": durationSchema.default(15_000),
  "lease-renew-deadline": durationSchema.default(10_000),
  "lease-retry-period": durationSchema.default(2_000),
  "ca-overlap-seconds": overlapSecondsSchema.optional(),
  "log-level": logLevelSchema.optional(),
});

const environmentSchema = z.object({
  CLUSTER_NAME: dnsLabelSchema,
  POD_NAME: z.string().min(1).default(hostname()),
  LOG_LEVEL: logLevelSchema.default("info"),
  NAMESPACES: namespaceListSchema.optional(),
  RETIRED_NAMESPACES: namespaceListSchema.optional(),
  /** Who makes the CA and the gateways' certificate. */
  CERTIFICATES: z.enum(["isthmus", "cert-manager"]).default("isthmus"),
  CA_OVERLAP_SECONDS: overlapSecondsSchema.default(3600),
});

export type Settings = ReturnType<typeof readSettings>;

/**
 * Flags and environment of the controller. Throws an Error whose message names
 * the flag or variable and what it should be. Durations are in ms, where their name does not say otherwise.
 */
export function readSettings(args: readonly string[], environment: NodeJS.ProcessEnv) {
  const flags = readFlags(flagsSchema, args);
  const env = readEnvironment(environmentSchema, environment);
  return {
    clusterName: env.CLUSTER_NAME,
    namespaces: env.NAMESPACES,
    retiredNamespaces: env.RETIRED_NAMESPACES,
    foreignCertificates: env.CERTIFICATES === "cert-manager",
    podName: env.POD_NAME,
    logLevel: flags["log-level"] ?? env.LOG_LEVEL,
    caOverlapMs: (flags["ca-overlap-seconds"] ?? env.CA_OVERLAP_SECONDS) * 1000,
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    health: {
      port: flags["health-port"],
      ...(flags.host !== undefined && { host: flags.host }),
    },
    lease: {
      leaseDurationMs: flags["lease-duration"],
      renewDeadlineMs: flags["lease-renew-deadline"],
      retryPeriodMs: flags["lease-retry-period"],
    },
  };
}
