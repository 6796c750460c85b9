import { createColors } from "picocolors";
import { plainText } from "../../../api/plain-text.ts";
import {
  type Colors,
  formatBytes,
  formatLatency,
  formatTable,
  notReadSection,
  stateColor,
  timeLeft,
} from "../table.ts";
import type { GatewaysReport, Traffic } from "./report.ts";

/** A report as tables for people: what goes to others, what comes from them, and the pods. */
export function formatGateways(report: GatewaysReport, nowMs: number, useColor: boolean): string {
  const colors = createColors(useColor);
  const sections = [
    addressesSection(report, colors),
    consumersSection(report, colors),
    podsSection(report, nowMs, colors),
    notReadSection(report.notRead, colors),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function addressesSection({ addresses, notRead }: GatewaysReport, colors: Colors): string {
  if (addresses.length === 0) {
    // Where gateways could not be asked, nothing is known of their sessions.
    return notRead.length > 0 ? "" : "No sessions to other clusters.";
  }
  const rows = addresses.map((address) => [
    address.link,
    plainText(address.address) || "-",
    address.pod,
    stateColor(address.state, colors),
    String(address.sessions),
    formatLatency(address.rttMs),
    formatLatency(address.rttP99Ms),
    ...trafficCells(address),
  ]);
  const head = [
    "LINK",
    "ADDRESS",
    "GATEWAY",
    "STATE",
    "SESSIONS",
    "RTT",
    "RTT P99",
    ...TRAFFIC_HEAD,
  ];
  return formatTable(head, rows, colors);
}

function consumersSection({ consumers }: GatewaysReport, colors: Colors): string {
  if (consumers.length === 0) return "";
  const rows = consumers.map((consumer) => [
    plainText(consumer.consumer),
    consumer.pod,
    String(consumer.sessions),
    ...trafficCells(consumer),
  ]);
  return formatTable(["CONSUMER", "GATEWAY", "SESSIONS", ...TRAFFIC_HEAD], rows, colors);
}

function podsSection({ gateways }: GatewaysReport, nowMs: number, colors: Colors): string {
  if (gateways.length === 0) return "";
  const rows = gateways.map(({ pod, node, ready, draining, certificateExpiresAt }) => [
    pod,
    node || "-",
    draining ? colors.yellow("draining") : readyWord(ready, colors),
    timeLeft(certificateExpiresAt, nowMs, colors),
  ]);
  return formatTable(["GATEWAY", "NODE", "STATE", "CERTIFICATE"], rows, colors);
}

function readyWord(ready: boolean, colors: Colors): string {
  return ready ? colors.green("ready") : colors.red("not ready");
}

const TRAFFIC_HEAD = ["STREAMS", "SENT", "RECEIVED"];

function trafficCells({ streams, sentBytes, receivedBytes }: Traffic): string[] {
  return [
    streams === undefined ? "-" : String(streams),
    ...[sentBytes, receivedBytes].map(formatBytes),
  ];
}
