import { createColors } from "picocolors";
import { plainText } from "../../../api/plain-text.ts";
import {
  ageOf,
  type Colors,
  formatLatency,
  formatTable,
  notReadSection,
  stateColor,
  timeLeft,
} from "../table.ts";
import type { LinkDetails, MirrorReport, SkippedService, StatusReport } from "./report.ts";

/** A report as tables for people; ages are counted from `nowMs`. */
export function formatStatus(report: StatusReport, nowMs: number, useColor: boolean): string {
  const colors = createColors(useColor);
  const sections = [
    linksSection(report.links, nowMs, colors),
    conditionsSection(report.links, nowMs, colors),
    addressesSection(report.links, colors),
    mirrorsSection(report.mirrors, colors),
    skippedSection(report, nowMs, colors),
    peersSection(report, nowMs, colors),
    certificatesSection(report, nowMs, colors),
    notReadSection(report.notRead, colors),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function linksSection(links: readonly LinkDetails[], nowMs: number, colors: Colors): string {
  if (links.length === 0) {
    return "No links: this cluster uses no other cluster's Services (link join PROVIDER).";
  }
  const rows = links.map((link) => [
    link.name,
    link.cluster,
    stateColor(link.ready, colors),
    link.reason,
    String(link.open),
    link.closed === 0 ? "0" : colors.yellow(String(link.closed)),
    link.skipped === 0 ? "0" : colors.yellow(String(link.skipped)),
    formatLatency(link.latencyMs),
    timeLeft(link.tokenExpiresAt, nowMs, colors),
    timeLeft(link.trustExpiresAt, nowMs, colors),
    plainText(link.gateway.join(", ")) || "-",
    ageOf(link.createdAt, nowMs),
  ]);
  const head = ["LINK", "CLUSTER", "READY", "REASON", "OPEN", "CLOSED", "SKIPPED", "LATENCY"];
  return formatTable([...head, "TOKEN", "CA", "GATEWAY", "AGE"], rows, colors);
}

function conditionsSection(links: readonly LinkDetails[], nowMs: number, colors: Colors): string {
  const rows = links.flatMap(({ name, conditions }) =>
    conditions.map(({ type, status, lastTransitionTime, reason, message }) => [
      name,
      type,
      stateColor(status, colors),
      ageOf(lastTransitionTime, nowMs),
      reason,
      plainText(message),
    ]),
  );
  if (rows.length === 0) return "";
  return formatTable(["LINK", "CONDITION", "STATUS", "SINCE", "REASON", "MESSAGE"], rows, colors);
}

/** Of Links with several addresses: with one, the first table says it all. */
function addressesSection(links: readonly LinkDetails[], colors: Colors): string {
  const rows = links
    .filter(({ addresses }) => addresses.length > 1)
    .flatMap(({ name, addresses }) =>
      addresses.map(({ address, up, latencyMs }) => [
        name,
        plainText(address),
        stateColor(up ? "up" : "down", colors),
        formatLatency(latencyMs),
      ]),
    );
  return rows.length === 0
    ? ""
    : formatTable(["LINK", "ADDRESS", "STATE", "LATENCY"], rows, colors);
}

function mirrorsSection(mirrors: readonly MirrorReport[], colors: Colors): string {
  if (mirrors.length === 0) return "";
  const rows = mirrors.map(({ source, mirror, state, reason, message }) => [
    plainText(source),
    mirror,
    stateColor(state, colors),
    state === "open" || message === "" ? reason : `${reason}: ${plainText(message)}`,
  ]);
  return formatTable(["SOURCE", "MIRROR", "STATE", "REASON"], rows, colors);
}

/** What is not mirrored and why, as `link status` and `link services` show it. */
export function skippedSection(
  { skipped }: { readonly skipped: readonly SkippedService[] },
  nowMs: number,
  colors: Colors,
): string {
  if (skipped.length === 0) return "";
  const rows = skipped.map(({ link, source, reason, message, lastSeenAt }) => [
    link,
    source === "" ? "-" : plainText(source),
    colors.yellow(reason),
    plainText(message),
    ageOf(lastSeenAt, nowMs),
  ]);
  return formatTable(["LINK", "SKIPPED", "REASON", "MESSAGE", "SEEN"], rows, colors);
}

function peersSection({ peers }: StatusReport, nowMs: number, colors: Colors): string {
  if (peers.length === 0) return "";
  const rows = peers.map(({ name, createdAt }) => [name, ageOf(createdAt, nowMs)]);
  return formatTable(["PEER (may use exports of this cluster)", "AGE"], rows, colors);
}

function certificatesSection(
  { certificates }: StatusReport,
  nowMs: number,
  colors: Colors,
): string {
  if (certificates.length === 0) return "";
  const rows = certificates.map(({ name, expiresAt }) => [
    name,
    timeLeft(expiresAt, nowMs, colors),
  ]);
  return formatTable(["CERTIFICATE (of this cluster)", "EXPIRES IN"], rows, colors);
}
