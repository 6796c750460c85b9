import { createColors } from "picocolors";
import type { CheckReport, Result } from "./report.ts";
import { type Colors, formatTable } from "../table.ts";

/** A report for people: a line for each check, and below it what mends it where something is wrong. */
export function formatChecks({ checks, summary }: CheckReport, useColor: boolean): string {
  const colors = createColors(useColor);
  const rows = checks.map(({ id, about, result, message }) => [
    resultColor(result, colors),
    id,
    about,
    message,
  ]);
  const fixes = checks
    .filter(({ fix, result }) => fix !== undefined && result !== "ok")
    .map(
      ({ id, about, fix = "", docs }) => `${colors.bold(`${id}, ${about}`)}\n  ${fix}\n  ${docs}`,
    );
  const counts = `${summary.ok} ok, ${summary.warn} warn, ${summary.fail} fail, ${summary.skip} skip`;
  const sections = [
    formatTable(["RESULT", "CHECK", "OF", "SEEN"], rows, colors),
    ...(fixes.length === 0 ? [] : [`To mend it:\n\n${fixes.join("\n\n")}`]),
    counts,
  ];
  return `${sections.join("\n\n")}\n`;
}

function resultColor(result: Result, colors: Colors): string {
  const paint = { ok: colors.green, warn: colors.yellow, fail: colors.red, skip: colors.dim };
  return paint[result](result);
}
