import { CONDITION_TYPES } from "../../api/conditions.ts";
import { type CustomResourceDefinition, linkDefinition, peerDefinition } from "../../api/crd.ts";
import { ANNOTATIONS, API_GROUP, API_VERSION, INSTALL_NAMESPACE } from "../../api/names.ts";
import { table } from "./markdown.ts";

type Schema = CustomResourceDefinition["spec"]["versions"][number]["schema"]["openAPIV3Schema"];

/** Who writes an annotation, on what, and what it says. */
type Annotation = readonly [writer: "you" | "Isthmus", on: string, value: string];

const FAILOVER = "[failover.md](failover.md#annotations)";

const ANNOTATION_NOTES: Readonly<Record<keyof typeof ANNOTATIONS, Annotation>> = {
  export: ["you", "a Service of the provider", '`"true"`: it is exported'],
  exportTo: [
    "you",
    "an exported Service",
    "clusters that may use it: `east,north`; default: every Peer",
  ],
  exportPorts: [
    "you",
    "an exported Service",
    "names or numbers of ports: `http,9090`; default: every TCP port",
  ],
  failover: ["you", "a Service of the consumer", `where it fails over to: ${FAILOVER}`],
  failoverMode: ["you", "a Service that fails over", "`standby` (default) or `active`"],
  failoverPorts: [
    "you",
    "a Service that fails over",
    "ports that fail over; default: every TCP port",
  ],
  failoverActivateAfter: [
    "you",
    "a Service that fails over",
    "mode active: how long no own endpoint has to be ready, such as `2s`",
  ],
  failoverFailbackAfter: [
    "you",
    "a Service that fails over",
    "how long something better has to be good before connections return to it, such as `30s`",
  ],
  source: [
    "Isthmus",
    "mirrors, failover slices",
    "`cluster/namespace/name` of the Service that is meant",
  ],
  state: [
    "Isthmus",
    "mirrors, failover slices",
    "`open` or `closed`; of failover slices the state of the failover",
  ],
  stateReason: [
    "Isthmus",
    "mirrors, failover slices",
    "why, as one of the reasons in [conditions.md](conditions.md)",
  ],
  stateMessage: ["Isthmus", "mirrors", "why, as a sentence"],
  stateSince: ["Isthmus", "failover slices", "since when, RFC 3339"],
  createdFor: [
    "Isthmus",
    "a namespace that `mirror.createNamespaces` made",
    "the Service it was made for",
  ],
  joinUntil: [
    "Isthmus",
    "Secret isthmus-gateway-tls",
    "until when the gateways take join tokens, RFC 3339",
  ],
  joinedBy: ["Isthmus", "a Peer", "id of the join token by which it was made"],
  namespaces: ["Isthmus", "the pods of Isthmus", "the only namespaces that they work in"],
};

/** docs/api.md, from the CustomResourceDefinitions. */
export function apiPage(): string {
  const definitions = [linkDefinition(), peerDefinition()];
  const annotations: Readonly<Record<string, string>> = ANNOTATIONS;
  return [
    "# API",
    `Group \`${API_GROUP}\`, version \`${API_VERSION}\`. All objects are in the namespace \`${INSTALL_NAMESPACE}\`. What is wrong with an object the API server says itself where it can; the rest is a condition or an Event with a reason of [conditions.md](conditions.md).`,
    ...definitions.flatMap(definitionSections),
    "## Annotations",
    table(
      ["Annotation", "Written by", "On", "Value"],
      Object.entries<Annotation>(ANNOTATION_NOTES).map(([key, note]) => [
        `\`${annotations[key] ?? ""}\``,
        ...note,
      ]),
    ),
    "What is said of an export or a failover that cannot be is an Event on the Link or the Service, and in `link status`, `link services` and `link failover`.",
    "",
  ].join("\n\n");
}

function definitionSections({ spec }: CustomResourceDefinition): string[] {
  const [version] = spec.versions;
  const schema = version?.schema.openAPIV3Schema;
  if (version === undefined || schema === undefined) return [];
  const { kind = "", plural = "", shortNames = [] } = spec.names;
  const names = [plural, shortNames].flat().map((name) => `\`${name}\``);
  const { spec: wanted, status } = schema.properties ?? {};
  const rules = rulesOf(schema);
  return [
    `## ${String(kind)}`,
    `${schema.description ?? ""} For kubectl: ${names.join(" or ")}.`,
    ...(rules.length === 0 ? [] : [rules.map((rule) => `- ${rule}`).join("\n")]),
    ...fieldSection("spec", wanted),
    ...fieldSection("status", status),
    `\`kubectl get ${plural.toString()}\` shows: ${version.additionalPrinterColumns.map(({ name }) => name).join(", ")}.`,
  ];
}

function fieldSection(name: string, schema: Schema | undefined): string[] {
  if (schema === undefined) return [];
  const rows = fieldRows(schema, `${name}.`);
  return [`### ${name}`, table(["Field", "Type", "Default", "Meaning"], rows)];
}

/** A row for each field, and below an object for each of its own. */
function fieldRows(schema: Schema, prefix: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const isRequired = schema.required?.includes(name) ?? false;
    const path = `${prefix}${name}`;
    const meaning = [wordsOf(name, field), ...rulesOf(field)].filter((words) => words !== "");
    const row = [
      `\`${path}\``,
      typeOf(name, field),
      isRequired ? "required" : defaultOf(field),
      meaning.join(" ").replaceAll("<", "&lt;"),
    ];
    return [row, ...(isOpaque(name, field) ? [] : fieldRows(field, `${path}.`))];
  });
}

/** Kinds of Kubernetes' own, whose fields its reference has. */
function isOpaque(name: string, schema: Schema): boolean {
  return name === "conditions" || schema["x-kubernetes-map-type"] === "atomic";
}

function typeOf(name: string, schema: Schema): string {
  if (name === "conditions") return "list of metav1.Condition";
  if (schema["x-kubernetes-map-type"] === "atomic") return "metav1.LabelSelector";
  const range =
    schema.minimum === undefined ? "" : ` ${schema.minimum}–${String(schema.maximum ?? "")}`;
  if (schema.type === "array") return `list of ${typeOf("", schema.items ?? {})}${sizeOf(schema)}`;
  if (schema.format === "date-time") return "time";
  return `${schema.type ?? "any"}${range}`;
}

function sizeOf({ maxItems }: Schema): string {
  return typeof maxItems === "number" ? `, at most ${maxItems}` : "";
}

function defaultOf(schema: Schema): string {
  const value = schema["default"];
  // Of an object each field shows its own.
  return value === undefined || schema.properties !== undefined
    ? ""
    : `\`${JSON.stringify(value)}\``;
}

function wordsOf(name: string, schema: Schema): string {
  if (name === "conditions") {
    return `Types: ${CONDITION_TYPES.join(", ")}; their reasons: [conditions.md](conditions.md).`;
  }
  return schema.description ?? "";
}

/** What CEL refuses, in the words of its answer. */
function rulesOf(schema: Schema): string[] {
  const own = schema["x-kubernetes-validations"] ?? [];
  const ofItems = schema.items?.["x-kubernetes-validations"] ?? [];
  return [...own, ...ofItems].flatMap(({ message }) =>
    message === undefined ? [] : [sentence(message)],
  );
}

function sentence(text: string): string {
  if (text.startsWith("metadata."))
    return text.replace(/^\S+/, (field) => `\`${field}\``).concat(".");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
