import { z } from "zod";
import { dnsLabelSchema } from "../../api/names-schema.ts";
import { GATEWAY_HEALTH_PORT, INGRESS_PORT, INSTALL_NAMESPACE } from "../../api/names.ts";
import { SESSION_MAX_AGE_MS } from "../../gateway/egress/egress.ts";
import { RESOLVE_INTERVAL_MS } from "../../gateway/egress/gateway-names.ts";
import { UNEXPORT_GRACE_MS } from "../../gateway/ingress/ingress.ts";
import {
  logLevelSchema,
  namespaceListSchema,
  portSchema,
  readEnvironment,
  readFlags,
} from "../settings/settings.ts";
import { readLimitFlags } from "./limit-flags.ts";

const durationSchema = z.coerce.number().int().min(0).max(3_600_000);

const flagsSchema = z.strictObject({
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).optional(),
  namespace: dnsLabelSchema.default(INSTALL_NAMESPACE),
  host: z.string().min(1).optional(),
  "ingress-port": portSchema.default(INGRESS_PORT),
  "health-port": portSchema.default(GATEWAY_HEALTH_PORT),
  "sessions-per-address": z.coerce.number().int().min(1).max(64).default(2),
  "session-max-age": z.coerce.number().int().min(1000).default(SESSION_MAX_AGE_MS),
  "resolve-interval": durationSchema.min(100).default(RESOLVE_INTERVAL_MS),
  "drain-delay": durationSchema.default(5000),
  "drain-deadline": durationSchema.default(25_000),
  "unexport-grace": durationSchema.default(UNEXPORT_GRACE_MS),
  "log-level": logLevelSchema.optional(),
});

const environmentSchema = z.object({
  CLUSTER_NAME: dnsLabelSchema,
  POD_NAME: z.string().min(1).default("isthmus-gateway"),
  LOG_LEVEL: logLevelSchema.default("info"),
  NAMESPACES: namespaceListSchema.optional(),
  KUBERNETES_SERVICE_HOST: z.string().min(1).optional(),
});

export type Settings = ReturnType<typeof readSettings>;

/**
 * Flags and environment of the gateway. Throws an Error whose message names
 * the flag or variable and what it should be. Durations are in ms.
 */
export function readSettings(args: readonly string[], environment: NodeJS.ProcessEnv) {
  const { limits, otherArgs } = readLimitFlags(args);
  const flags = readFlags(flagsSchema, otherArgs);
  const env = readEnvironment(environmentSchema, environment);
  return {
    clusterName: env.CLUSTER_NAME,
    namespaces: env.NAMESPACES,
    podName: env.POD_NAME,
    logLevel: flags["log-level"] ?? env.LOG_LEVEL,
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    namespace: flags.namespace,
    host: flags.host,
    ports: { ingress: flags["ingress-port"], health: flags["health-port"] },
    sessionsPerAddress: flags["sessions-per-address"],
    sessionMaxAgeMs: flags["session-max-age"],
    resolveIntervalMs: flags["resolve-interval"],
    drainDelayMs: flags["drain-delay"],
    drainDeadlineMs: flags["drain-deadline"],
    unexportGraceMs: flags["unexport-grace"],
    limits,
    apiServer: env.KUBERNETES_SERVICE_HOST,
  };
}
