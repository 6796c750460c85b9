import { createColors } from "picocolors";
import { ageOf, type Colors, formatTable } from "../table.ts";
import type { LinkReport, MirrorReport, StatusReport } from "./report.ts";

/** A report as tables for people; ages are counted from `nowMs`. */
export function formatStatus(report: StatusReport, nowMs: number, useColor: boolean): string {
  const colors = createColors(useColor);
  const sections = [
    linksSection(report.links, nowMs, colors),
    ...report.links.map((link) => troubleSection(link, colors)),
    mirrorsSection(report.mirrors, colors),
    skippedSection(report, nowMs, colors),
    peersSection(report, nowMs, colors),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function linksSection(links: readonly LinkReport[], nowMs: number, colors: Colors): string {
  if (links.length === 0) {
    return "No links: this cluster uses no other cluster's Services (link join PROVIDER).";
  }
  const rows = links.map((link) => [
    link.name,
    link.cluster,
    stateColor(link.ready, colors),
    link.reason,
    String(link.mirrored),
    String(link.skipped),
    link.gateway.join(", ") || "-",
    ageOf(link.createdAt, nowMs),
  ]);
  const head = ["LINK", "CLUSTER", "READY", "REASON", "MIRRORED", "SKIPPED", "GATEWAY", "AGE"];
  return formatTable(head, rows, colors);
}

/** The conditions that are not True, in full. */
function troubleSection({ name, conditions }: LinkReport, colors: Colors): string {
  return conditions
    .filter(({ status }) => status !== "True")
    .map(
      ({ type, status, reason, message }) =>
        `${colors.bold(`${name}: ${type} is ${status}`)} (${reason}): ${message}`,
    )
    .join("\n");
}

function mirrorsSection(mirrors: readonly MirrorReport[], colors: Colors): string {
  if (mirrors.length === 0) return "";
  const rows = mirrors.map(({ source, mirror, state, reason, message }) => [
    source,
    mirror,
    stateColor(state, colors),
    state === "open" ? reason : `${reason}${message === "" ? "" : `: ${message}`}`,
  ]);
  return formatTable(["SOURCE", "MIRROR", "STATE", "REASON"], rows, colors);
}

function skippedSection({ skipped }: StatusReport, nowMs: number, colors: Colors): string {
  if (skipped.length === 0) return "";
  const rows = skipped.map(({ link, source, reason, message, lastSeenAt }) => [
    link,
    source === "" ? "-" : source,
    colors.yellow(reason),
    message,
    ageOf(lastSeenAt, nowMs),
  ]);
  return formatTable(["LINK", "SKIPPED", "REASON", "MESSAGE", "SEEN"], rows, colors);
}

function peersSection({ peers }: StatusReport, nowMs: number, colors: Colors): string {
  if (peers.length === 0) return "";
  const rows = peers.map(({ name, createdAt }) => [name, ageOf(createdAt, nowMs)]);
  return formatTable(["PEER (may use exports of this cluster)", "AGE"], rows, colors);
}

function stateColor(state: string, colors: Colors): string {
  if (state === "True" || state === "open") return colors.green(state);
  return state === "Unknown" ? colors.yellow(state) : colors.red(state);
}
