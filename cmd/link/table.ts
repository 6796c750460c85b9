import Table from "cli-table3";
import type { createColors } from "picocolors";
import { plainText } from "../../api/plain-text.ts";
import { formatAge } from "./duration.ts";
import type { NotRead } from "./not-read.ts";

export type Colors = ReturnType<typeof createColors>;

/** As kubectl prints tables: columns and no lines. */
export function formatTable(head: string[], rows: string[][], colors: Colors): string {
  const none = "";
  const grid = new Table({
    chars: {
      top: none,
      "top-mid": none,
      "top-left": none,
      "top-right": none,
      bottom: none,
      "bottom-mid": none,
      "bottom-left": none,
      "bottom-right": none,
      left: none,
      "left-mid": none,
      mid: none,
      "mid-mid": none,
      right: none,
      "right-mid": none,
      middle: "   ",
    },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    head: head.map((title) => colors.bold(title)),
  });
  grid.push(...rows);
  return grid
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** How long ago a time in RFC 3339 was, `-` for what is none. */
export function ageOf(time: string, nowMs: number): string {
  const timeMs = Date.parse(time);
  return Number.isNaN(timeMs) ? "-" : formatAge(nowMs - timeMs);
}

/** So close to its end something ought to have been renewed. */
const SOON_MS = 5 * 60_000;

/** How long until a time in RFC 3339: `52m`, `expired 3m ago`, `-` for none. */
export function timeLeft(time: string | undefined, nowMs: number, colors: Colors): string {
  const leftMs = Date.parse(time ?? "") - nowMs;
  if (Number.isNaN(leftMs)) return "-";
  if (leftMs <= 0) return colors.red(`expired ${formatAge(-leftMs)} ago`);
  return leftMs < SOON_MS ? colors.yellow(formatAge(leftMs)) : formatAge(leftMs);
}

/** A delay in two digits: `0.85ms`, `12ms`, `1.3s`, `-` for none. */
export function formatLatency(latencyMs: number | undefined): string {
  if (latencyMs === undefined) return "-";
  const [value, unit] = latencyMs < 1000 ? [latencyMs, "ms"] : [latencyMs / 1000, "s"];
  return `${value < 10 ? Number(value.toPrecision(2)) : Math.round(value)}${unit}`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A number of bytes with one decimal at most: `512B`, `1.5MiB`, `-` for none. */
export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined) return "-";
  const power = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)}${BYTE_UNITS[power] ?? ""}`;
}

const GOOD: ReadonlySet<string> = new Set(["True", "open", "up", "exported"]);
const UNSURE: ReadonlySet<string> = new Set(["Unknown", "unknown", "idle", "-"]);

/** A state in the colour of what it means. */
export function stateColor(state: string, colors: Colors): string {
  if (GOOD.has(state)) return colors.green(state);
  return UNSURE.has(state) ? colors.yellow(state) : colors.red(state);
}

/** What a report lacks since it could not be read; empty when it lacks nothing. */
export function notReadSection(notRead: readonly NotRead[], colors: Colors): string {
  if (notRead.length === 0) return "";
  const lines = notRead.map(({ what, why }) => `  ${what}: ${plainText(why)}`);
  return [colors.yellow("Not read, and left out above:"), ...lines].join("\n");
}
