import { z } from "zod";
import { dnsLabelSchema } from "../../api/names-schema.ts";
import { GATEWAY_HEALTH_PORT, INGRESS_PORT, INSTALL_NAMESPACE } from "../../api/names.ts";
import { logLevelSchema, portSchema, readEnvironment, readFlags } from "../settings/settings.ts";

const durationSchema = z.coerce.number().int().min(0).max(3_600_000);

const flagsSchema = z.strictObject({
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).optional(),
  namespace: dnsLabelSchema.default(INSTALL_NAMESPACE),
  host: z.string().min(1).optional(),
  "ingress-port": portSchema.default(INGRESS_PORT),
  "health-port": portSchema.default(GATEWAY_HEALTH_PORT),
  "sessions-per-address": z.coerce.number().int().min(1).max(64).default(2),
  "drain-delay": durationSchema.default(5000),
  "drain-deadline": durationSchema.default(25_000),
  "log-level": logLevelSchema.optional(),
});

const environmentSchema = z.object({
  CLUSTER_NAME: dnsLabelSchema,
  POD_NAME: z.string().min(1).default("isthmus-gateway"),
  LOG_LEVEL: logLevelSchema.default("info"),
  KUBERNETES_SERVICE_HOST: z.string().min(1).optional(),
  KUBERNETES_SERVICE_PORT: portSchema.default(443),
});

export type Settings = ReturnType<typeof readSettings>;

/**
 * Flags and environment of the gateway. Throws an Error whose message names
 * the flag or variable and what it should be. Durations are in ms.
 */
export function readSettings(args: readonly string[], environment: NodeJS.ProcessEnv) {
  const flags = readFlags(flagsSchema, args);
  const env = readEnvironment(environmentSchema, environment);
  const host = env.KUBERNETES_SERVICE_HOST;
  return {
    clusterName: env.CLUSTER_NAME,
    podName: env.POD_NAME,
    logLevel: flags["log-level"] ?? env.LOG_LEVEL,
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    namespace: flags.namespace,
    host: flags.host,
    ports: { ingress: flags["ingress-port"], health: flags["health-port"] },
    sessionsPerAddress: flags["sessions-per-address"],
    drainDelayMs: flags["drain-delay"],
    drainDeadlineMs: flags["drain-deadline"],
    apiServer:
      host === undefined ? undefined : { address: host, port: env.KUBERNETES_SERVICE_PORT },
  };
}
