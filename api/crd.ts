import { z } from "zod";
import { linkSpecSchema, linkStatusSchema } from "./link.ts";
import type { KubeObject } from "./objects.ts";
import { peerSpecSchema } from "./peer.ts";
import { type Resource, RESOURCES, apiVersionOf } from "./resources.ts";

/** A node of a structural schema, as CustomResourceDefinitions carry it. */
interface StructuralSchema {
  type?: string;
  description?: string;
  format?: string;
  pattern?: string;
  minLength?: number;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, StructuralSchema>;
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
  required?: string[];
  "x-kubernetes-validations"?: Validation[];
  "x-kubernetes-list-type"?: "map";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: "atomic";
  [keyword: string]: unknown;
}

/** A CEL rule; it is false for what is refused. */
interface Validation {
  rule: string;
  message?: string;
  messageExpression?: string;
  /** The field an answer names, for rules that look at more than one. */
  fieldPath?: string;
}

interface PrinterColumn {
  name: string;
  type: "string" | "integer" | "date";
  jsonPath: string;
  description?: string;
  /** Columns above 0 are shown by `-o wide` only. */
  priority?: number;
}

export interface CustomResourceDefinition extends KubeObject {
  spec: {
    group: string;
    names: Record<string, string | string[]>;
    scope: "Namespaced";
    versions: {
      name: string;
      served: boolean;
      storage: boolean;
      schema: { openAPIV3Schema: StructuralSchema };
      additionalPrinterColumns: PrinterColumn[];
      subresources?: { status: Record<string, never> };
    }[];
  };
}

const LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const LABEL_WORDS =
  "must be a DNS label: at most 63 of a-z, 0-9 and '-', with a letter or digit at both ends";

/** A Link and a Peer give their name to labels, SNI and mirrors, so it is a DNS label too. */
const NAME_RULE: Validation = {
  rule: `size(self.metadata.name) <= 63 && self.metadata.name.matches('${LABEL_PATTERN}')`,
  message: `metadata.name ${LABEL_WORDS}`,
};

const CLUSTER_NAME_RULE: Validation = {
  rule: `self.matches('${LABEL_PATTERN}')`,
  message: `a cluster name ${LABEL_WORDS}`,
};

const IDENTITY_RULE: Validation = {
  rule: "self.matches('^spiffe://[a-z0-9]([-a-z0-9]*[a-z0-9])?/isthmus/gateway$')",
  message: "must be spiffe://<cluster name>/isthmus/gateway",
};

const TRUST_BUNDLE_RULE: Validation = {
  rule: "self.contains('-----BEGIN CERTIFICATE-----') && self.contains('-----END CERTIFICATE-----') && !self.contains('PRIVATE KEY-----')",
  message:
    "must be the PEM of at least one CA certificate (-----BEGIN CERTIFICATE----- …) and hold no private key",
};

const ADDRESS_RULE: Validation = {
  rule: "isIP(self) || (!self.matches('^[0-9.]*$') && !format.dns1123Subdomain().validate(self).hasValue())",
  message: "must be an IP address or a DNS name, without scheme or port",
};

const NAME_TEMPLATE_RULES: Validation[] = [
  {
    rule: "self.contains('{service}')",
    message: "must contain {service}, such as {service}-{cluster}",
  },
  {
    rule: "self.matches('^[-a-z0-9]*([{]service[}]|[{]cluster[}])[-a-z0-9]*([{]service[}]|[{]cluster[}])?[-a-z0-9]*$') && self.indexOf('{service}') == self.lastIndexOf('{service}') && !self.startsWith('-') && !self.endsWith('-')",
    message:
      "may hold {service} once, {cluster} once, and otherwise a-z, 0-9 and '-', with no '-' at the ends",
  },
];

/** A consumer may patch its own Peer to follow its CA: not to become another cluster. */
const SAME_CLUSTER_RULE: Validation = {
  rule: "(has(self.spec.clusterName) ? self.spec.clusterName : self.metadata.name) == (has(oldSelf.spec.clusterName) ? oldSelf.spec.clusterName : oldSelf.metadata.name)",
  message: "the cluster that a Peer names cannot change; delete it and make another",
};

/** A cluster that is named and identified differently can never be authenticated. */
function identityMatchesRule(identity: string): Validation {
  const cluster = "(has(self.spec.clusterName) ? self.spec.clusterName : self.metadata.name)";
  return {
    rule: `self.${identity} == 'spiffe://' + ${cluster} + '/isthmus/gateway'`,
    fieldPath: `.${identity}`,
    messageExpression: `'must be spiffe://' + ${cluster} + '/isthmus/gateway, the gateway of the cluster that this object names'`,
  };
}

/** Where CEL says what the schema cannot, or says it better than a pattern does. */
const LINK_RULES: Readonly<Record<string, Validation[]>> = {
  clusterName: [CLUSTER_NAME_RULE],
  "gateway.identity": [IDENTITY_RULE],
  "gateway.addresses.items": [ADDRESS_RULE],
  trustBundle: [TRUST_BUNDLE_RULE],
  "mirror.nameTemplate": NAME_TEMPLATE_RULES,
};

const PEER_RULES: Readonly<Record<string, Validation[]>> = {
  clusterName: [CLUSTER_NAME_RULE],
  identity: [IDENTITY_RULE],
  trustBundle: [TRUST_BUNDLE_RULE],
};

/** The CustomResourceDefinition of Link. */
export function linkDefinition(): CustomResourceDefinition {
  const status = toStructural(linkStatusSchema);
  const conditions = schemaAt(status, "conditions");
  conditions["x-kubernetes-list-type"] = "map";
  conditions["x-kubernetes-list-map-keys"] = ["type"];
  const spec = withRules(toStructural(linkSpecSchema), LINK_RULES);
  // A selector is one thing: two owners of its parts would mean neither's selection.
  for (const selector of ["serviceSelector", "namespaceSelector"]) {
    schemaAt(spec, selector)["x-kubernetes-map-type"] = "atomic";
  }
  return definition(RESOURCES.links, {
    description: "A provider cluster whose exported Services are mirrored into this cluster.",
    shortNames: ["lk"],
    spec,
    status,
    rules: [NAME_RULE, identityMatchesRule("spec.gateway.identity")],
    columns: [
      { name: "Cluster", type: "string", jsonPath: ".spec.clusterName" },
      { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: "Reason", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
      { name: "Gateway", type: "string", jsonPath: ".status.gatewayAddresses[0]" },
      { name: "Mirrored", type: "integer", jsonPath: ".status.mirroredServices" },
      { name: "Skipped", type: "integer", jsonPath: ".status.skippedServices", priority: 1 },
    ],
  });
}

/** The CustomResourceDefinition of Peer. */
export function peerDefinition(): CustomResourceDefinition {
  return definition(RESOURCES.peers, {
    description:
      "A consumer cluster that may call this cluster's gateway; deleting it revokes at once.",
    shortNames: [],
    spec: withRules(toStructural(peerSpecSchema), PEER_RULES),
    rules: [NAME_RULE, identityMatchesRule("spec.identity"), SAME_CLUSTER_RULE],
    columns: [
      { name: "Cluster", type: "string", jsonPath: ".spec.clusterName" },
      { name: "Identity", type: "string", jsonPath: ".spec.identity" },
    ],
  });
}

interface Kind {
  description: string;
  shortNames: string[];
  spec: StructuralSchema;
  status?: StructuralSchema;
  rules: Validation[];
  columns: PrinterColumn[];
}

function definition(resource: Resource, kind: Kind): CustomResourceDefinition {
  const { group, version, plural } = resource;
  const age: PrinterColumn = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };
  return {
    apiVersion: apiVersionOf(RESOURCES.customResourceDefinitions),
    kind: RESOURCES.customResourceDefinitions.kind,
    metadata: {
      name: `${plural}.${group}`,
      labels: { "app.kubernetes.io/part-of": "isthmus" },
    },
    spec: {
      group,
      names: {
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural,
        singular: resource.kind.toLowerCase(),
        ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
        categories: ["isthmus"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              description: kind.description,
              required: ["spec"],
              "x-kubernetes-validations": kind.rules,
              properties: {
                apiVersion: { type: "string" },
                kind: { type: "string" },
                metadata: { type: "object" },
                spec: kind.spec,
                ...(kind.status && { status: kind.status }),
              },
            },
          },
          additionalPrinterColumns: [...kind.columns, age],
          ...(kind.status && { subresources: { status: {} } }),
        },
      ],
    },
  };
}

function toStructural(schema: z.ZodType): StructuralSchema {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io: "input" });
  // Through JSON, which takes off zod's types and leaves ours to say what a structural schema is.
  const structural: StructuralSchema = JSON.parse(JSON.stringify(json));
  makeStructural(structural);
  return structural;
}

/**
 * Takes out what a structural schema may not hold, here and below.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
function makeStructural(schema: StructuralSchema): void {
  delete schema["propertyNames"];
  if (schema.format === "date-time") delete schema.pattern;
  if (schema.type === "integer") {
    if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
    if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
    schema.format = schema.maximum === undefined ? "int64" : "int32";
  }
  const { properties = {}, items, additionalProperties } = schema;
  for (const child of [...Object.values(properties), items, additionalProperties]) {
    if (child !== undefined) makeStructural(child);
  }
}

/** Adds CEL rules; each takes the place of pattern and minLength, whose messages name no fix. */
function withRules(
  schema: StructuralSchema,
  rules: Readonly<Record<string, Validation[]>>,
): StructuralSchema {
  for (const [path, validations] of Object.entries(rules)) {
    const field = schemaAt(schema, path);
    delete field.pattern;
    delete field.minLength;
    field["x-kubernetes-validations"] = validations;
  }
  return schema;
}

/** @throws Error when the schema has no such field: a rule would otherwise be lost in silence. */
function schemaAt(schema: StructuralSchema, path: string): StructuralSchema {
  let at: StructuralSchema | undefined = schema;
  for (const segment of path.split(".")) {
    at = segment === "items" ? at?.items : at?.properties?.[segment];
  }
  if (at === undefined) throw new Error(`the schema has no field ${path}`);
  return at;
}
