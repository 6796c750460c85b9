import { createColors } from "picocolors";
import { ANNOTATIONS } from "../../../api/names.ts";
import { plainText } from "../../../api/plain-text.ts";
import { ageOf, type Colors, formatTable } from "../table.ts";
import type { FailoverReport, ServiceReport, TargetReport } from "./report.ts";

export interface FailoverTableOptions {
  /** Ages are counted from here. */
  nowMs: number;
  useColor: boolean;
  /** Tell every Service's targets, not only those of Services that need a look. */
  details: boolean;
  /** The namespace that was asked for, if one was. */
  namespace?: string | undefined;
}

/** A report for people: one line a Service, then what is behind it where it is not as it should be. */
export function formatFailover(report: FailoverReport, options: FailoverTableOptions): string {
  const { services } = report;
  if (services.length === 0) return `${nothing(options.namespace)}\n`;
  const colors = createColors(options.useColor);
  const rows = services.map((service) => row(service, options.nowMs, colors));
  const head = ["NAMESPACE", "SERVICE", "MODE", "STATE", "TARGET", "SINCE", "WHY"];
  const explained = services.filter((service) => options.details || needsLook(service));
  const sections = [
    formatTable(head, rows, colors),
    ...explained.map((service) => block(service, colors)),
  ];
  return `${sections.join("\n\n")}\n`;
}

function nothing(namespace: string | undefined): string {
  const where = namespace === undefined ? "this cluster" : `namespace ${namespace}`;
  return [
    `No Service of ${where} asks for failover. Begin with one that a linked cluster exports, too:`,
    `  kubectl annotate service NAME -n ${namespace ?? "NAMESPACE"} ${ANNOTATIONS.failover}=CLUSTER`,
  ].join("\n");
}

function row(service: ServiceReport, nowMs: number, colors: Colors): string[] {
  const { namespace, name, mode = "-", state, target = "-", since = "", reason } = service;
  return [
    namespace,
    name,
    mode,
    stateColor(state, colors),
    plainText(target),
    ageOf(since, nowMs),
    reason,
  ];
}

function needsLook({ state, findings }: ServiceReport): boolean {
  return state !== "standby" || findings.length > 0;
}

/** The Service's state in full, each target, and what else there is to mend. */
function block(service: ServiceReport, colors: Colors): string {
  const { namespace, name, state, message, targets, findings } = service;
  const title = `${colors.bold(`${namespace}/${name} is ${state}`)}: ${plainText(message)}`;
  const told = new Set([message, ...targets.map((target) => target.message)]);
  const others = findings
    .filter((finding) => !told.has(finding.message))
    .map((finding) => `! ${colors.yellow(finding.reason)}: ${plainText(finding.message)}`);
  return [title, ...targetLines(targets, colors), ...others].join("\n");
}

function targetLines(targets: readonly TargetReport[], colors: Colors): string[] {
  if (targets.length === 0) return [];
  const rows = targets.map(({ target, role, healthy, reason, message, ports }) => [
    plainText(target),
    role,
    healthy ? colors.green("yes") : colors.red("no"),
    ports.map((port) => port.name || String(port.egressPort)).join(",") || "-",
    message === "" ? reason : `${reason}: ${plainText(message)}`,
  ]);
  const text = formatTable(["TARGET", "ROLE", "HEALTHY", "PORTS", "WHY"], rows, colors);
  return text.split("\n").map((line) => `  ${line}`);
}

function stateColor(state: ServiceReport["state"], colors: Colors): string {
  if (state === "standby") return colors.green(state);
  return state === "closed" || state === "unsupported" ? colors.red(state) : colors.yellow(state);
}
