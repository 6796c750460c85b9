import Table from "cli-table3";
import type { createColors } from "picocolors";
import { formatAge } from "./duration.ts";

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
