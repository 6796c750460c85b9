import { createColors } from "picocolors";
import { plainText } from "../../../api/plain-text.ts";
import { skippedSection } from "../status/status-table.ts";
import { type Colors, formatTable, notReadSection, stateColor } from "../table.ts";
import type { ExportReport, ImportReport, PortReport, ServicesReport } from "./report.ts";

export interface ServicesTableOptions {
  /** Ages are counted from here. */
  nowMs: number;
  useColor: boolean;
  /** The namespace that was asked for, if one was. */
  namespace?: string | undefined;
}

/** A report as tables for people: what goes out, what comes in, and what does not. */
export function formatServices(report: ServicesReport, options: ServicesTableOptions): string {
  const colors = createColors(options.useColor);
  const sections = [
    exportsSection(report, options.namespace, colors),
    importsSection(report, options.namespace, colors),
    skippedSection(report, options.nowMs, colors),
    notReadSection(report.notRead, colors),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function exportsSection(
  { exports }: ServicesReport,
  namespace: string | undefined,
  colors: Colors,
): string {
  if (exports.length === 0) {
    return `Exports nothing${inNamespace(namespace)} (link export svc/NAME -n NAMESPACE).`;
  }
  const rows = exports.map((service) => [
    service.namespace,
    service.name,
    portsText(service.ports),
    stateColor(service.state, colors),
    consumersText(service, colors),
    readyText(service, colors),
    service.message === "" ? "" : `${service.reason}: ${plainText(service.message)}`,
  ]);
  const head = ["NAMESPACE", "EXPORTED", "PORTS", "STATE", "TO", "ENDPOINTS", "WHY"];
  return withoutEmpty(head, rows, colors);
}

function importsSection(
  { imports }: ServicesReport,
  namespace: string | undefined,
  colors: Colors,
): string {
  if (imports.length === 0) return `Has no Services of others${inNamespace(namespace)}.`;
  const rows = imports.map((service: ImportReport) => [
    service.namespace,
    service.name,
    portsText(service.ports),
    stateColor(service.state, colors),
    service.link,
    plainText(service.source),
    service.state === "open" || service.message === ""
      ? service.reason
      : `${service.reason}: ${plainText(service.message)}`,
  ]);
  const head = ["NAMESPACE", "MIRROR", "PORTS", "STATE", "LINK", "OF", "WHY"];
  return formatTable(head, rows, colors);
}

function inNamespace(namespace: string | undefined): string {
  return namespace === undefined ? "" : ` in namespace ${namespace}`;
}

function portsText(ports: readonly PortReport[]): string {
  const texts = ports.map(({ name, port }) => (name === "" ? `${port}` : `${name}:${port}`));
  return plainText(texts.join(",")) || "-";
}

/** `all (east, north)`, `east, north (not joined)`, or who that leaves: nobody. */
function consumersText(service: ExportReport, colors: Colors): string {
  if (service.state === "refused") return "-";
  const { toAll, consumers, notJoined } = service;
  const names = [
    ...consumers,
    ...notJoined.map((name) => `${name} ${colors.yellow("(not joined)")}`),
  ];
  if (!toAll) return names.join(", ");
  return `all (${names.length === 0 ? colors.yellow("no cluster is joined") : names.join(", ")})`;
}

/** Without a ready endpoint its mirrors are closed. */
function readyText({ readyEndpoints }: ExportReport, colors: Colors): string {
  if (readyEndpoints === undefined) return "-";
  return readyEndpoints === 0 ? colors.red("none ready") : `${readyEndpoints} ready`;
}

/** A table without its last column where nothing is in it. */
function withoutEmpty(head: string[], rows: string[][], colors: Colors): string {
  if (rows.some((row) => row.at(-1) !== "")) return formatTable(head, rows, colors);
  return formatTable(
    head.slice(0, -1),
    rows.map((row) => row.slice(0, -1)),
    colors,
  );
}
