import { z } from "zod";
import type { Condition } from "./conditions.ts";
import { REASONS } from "./reasons.ts";
import { TerminalError } from "./errors.ts";
import type { KubeObject } from "./objects.ts";
import { dnsLabelSchema, identitySchema, trustBundleSchema } from "./names-schema.ts";

const requirementSchema = z.object({
  key: z.string().min(1).max(317),
  operator: z.literal(["In", "NotIn", "Exists", "DoesNotExist"]),
  values: z.array(z.string().max(63)).max(64).optional(),
});

const selectorSchema = z.object({
  matchLabels: z.record(z.string().max(317), z.string().max(63)).optional(),
  matchExpressions: z.array(requirementSchema).max(32).optional(),
});

export type LabelSelector = z.infer<typeof selectorSchema>;

const gatewaySchema = z.object({
  addresses: z
    .array(z.string().min(1).max(253))
    .min(1)
    .max(16)
    .describe(
      "Where the provider's ingress gateway is reached: IP addresses or DNS names. Default: what its gateway Service reports.",
    )
    .optional(),
  port: z.int().min(1).max(65_535).describe("Port of the provider's ingress gateway.").optional(),
  identity: identitySchema.describe(
    "URI SAN that the provider's gateway must present, spiffe://<cluster>/isthmus/gateway.",
  ),
});

const probeSchema = z.object({
  periodSeconds: z
    .int()
    .min(1)
    .max(300)
    .default(1)
    .describe("Time between two probes of a gateway address."),
  timeoutSeconds: z.int().min(1).max(60).default(1).describe("How long one probe may take."),
  failureThreshold: z
    .int()
    .min(1)
    .max(20)
    .default(3)
    .describe("Failed probes in a row after which an address counts as down."),
  successThreshold: z
    .int()
    .min(1)
    .max(20)
    .default(2)
    .describe("Good probes in a row after which an address that was down counts as up."),
});

const mirrorSchema = z.object({
  nameTemplate: z
    .string()
    .min(1)
    .max(128)
    .regex(
      /^[-a-z0-9]*\{service\}[-a-z0-9]*(\{cluster\}[-a-z0-9]*)?$|^[-a-z0-9]*\{cluster\}[-a-z0-9]*\{service\}[-a-z0-9]*$/,
    )
    .default("{service}-{cluster}")
    .describe("Name of a mirror; {service} and {cluster} are replaced."),
  createNamespaces: z
    .boolean()
    .default(false)
    .describe("Whether a namespace that is missing here is created."),
});

/** Link.spec as the API server stores it (defaults filled in). */
export const linkSpecSchema = z.object({
  clusterName: dnsLabelSchema
    .describe("Name of the provider cluster. Default: the name of this Link.")
    .optional(),
  credentialsSecretRef: z
    .object({ name: z.string().min(1).max(253).describe("Name of the Secret.") })
    .describe("Secret in this namespace whose key kubeconfig reads the provider's API."),
  gateway: gatewaySchema.describe("The provider's ingress gateway."),
  trustBundle: trustBundleSchema.describe("PEM of the CA certificates of the provider."),
  probe: probeSchema
    .default({
      periodSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: 3,
      successThreshold: 2,
    })
    .describe("How the addresses of the provider's gateway are probed."),
  apiStalenessSeconds: z
    .int()
    .min(5)
    .max(86_400)
    .default(300)
    .describe(
      "How long mirrors stay open while the provider's API is lost and its gateway is healthy.",
    ),
  serviceSelector: selectorSchema
    .describe("Only exported Services with these labels are mirrored.")
    .optional(),
  namespaceSelector: selectorSchema
    .describe("Only Services whose namespace has these labels in this cluster are mirrored.")
    .optional(),
  mirror: mirrorSchema
    .default({ nameTemplate: "{service}-{cluster}", createNamespaces: false })
    .describe("How the mirrors are made."),
});

export type LinkSpec = z.infer<typeof linkSpecSchema>;

export const linkStatusSchema = z.object({
  conditions: z
    .array(
      z.object({
        type: z.string(),
        status: z.literal(["True", "False", "Unknown"]),
        reason: z.string(),
        message: z.string().max(32_768),
        observedGeneration: z.int().optional(),
        lastTransitionTime: z.iso.datetime(),
      }),
    )
    .optional(),
  gatewayAddresses: z.array(z.string()).describe("Where the gateway is reached now.").optional(),
  gatewayPort: z.int().describe("Port of the gateway now.").optional(),
  mirroredServices: z
    .int()
    .describe("Services of the provider that have a mirror here.")
    .optional(),
  skippedServices: z
    .int()
    .describe("Services that the provider exports to this cluster and that have no mirror here.")
    .optional(),
  lastSyncTime: z.iso
    .datetime()
    .describe("When the provider's API was last heard, as of the last change of a condition.")
    .optional(),
  observedGeneration: z.int().describe("Generation of the Link that this status is of.").optional(),
});

export interface LinkStatus {
  conditions?: Condition[];
  gatewayAddresses?: string[];
  gatewayPort?: number;
  mirroredServices?: number;
  skippedServices?: number;
  lastSyncTime?: string;
  observedGeneration?: number;
}

/** A Link as it comes from the API server: its spec is not trusted until {@link parseLinkSpec} read it. */
export interface Link extends KubeObject {
  spec?: unknown;
  status?: LinkStatus;
}

/**
 * Link.spec with defaults filled in.
 * @throws TerminalError (LinkSpecInvalid) that names the field and what it should be.
 */
export function parseLinkSpec(link: Link): LinkSpec {
  const parsed = linkSpecSchema.safeParse(link.spec);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = ["spec", ...(issue?.path ?? [])].join(".");
  throw new TerminalError(
    REASONS.LinkSpecInvalid,
    `Link ${link.metadata.name}: ${field}: ${issue?.message ?? "invalid"}; correct it with kubectl edit.`,
  );
}

/** The provider's name: spec.clusterName, or the Link's own name. */
export function clusterNameOf(link: Link, spec: LinkSpec): string {
  return spec.clusterName ?? link.metadata.name;
}
