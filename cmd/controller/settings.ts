import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { z } from "zod";
import { dnsLabelSchema } from "../../api/names-schema.ts";
import { CONTROLLER_HEALTH_PORT } from "../../api/names.ts";

const portSchema = z.coerce.number().int().min(0).max(65_535);
const durationSchema = z.coerce.number().int().min(100).max(3_600_000);
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

const flagsSchema = z.strictObject({
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).optional(),
  host: z.string().min(1).optional(),
  "health-port": portSchema.default(CONTROLLER_HEALTH_PORT),
  "lease-duration": durationSchema.default(15_000),
  "lease-renew-deadline": durationSchema.default(10_000),
  "lease-retry-period": durationSchema.default(2_000),
  "log-level": z.literal(LOG_LEVELS).optional(),
});

const environmentSchema = z.object({
  CLUSTER_NAME: dnsLabelSchema,
  POD_NAME: z.string().min(1).default(hostname()),
  LOG_LEVEL: z.literal(LOG_LEVELS).default("info"),
});

export type Settings = ReturnType<typeof readSettings>;

/**
 * Flags and environment of the controller. Throws an Error whose message names
 * the flag or variable and what it should be. Durations are in ms.
 */
export function readSettings(args: readonly string[], environment: NodeJS.ProcessEnv) {
  const names = Object.keys(flagsSchema.shape);
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
  });
  const flags = parse(flagsSchema, values, "--");
  const env = parse(environmentSchema, environment, "");
  return {
    clusterName: env.CLUSTER_NAME,
    podName: env.POD_NAME,
    logLevel: flags["log-level"] ?? env.LOG_LEVEL,
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

function parse<T>(schema: z.ZodType<T>, input: unknown, prefix: string): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Error(`${prefix}${issue?.path.join(".") ?? ""}: ${issue?.message ?? "invalid"}`);
}
