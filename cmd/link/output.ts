import { Option } from "commander";
import { stringify } from "yaml";

/** How a command that reads prints what it read. */
export const OUTPUT_FORMATS = ["table", "json", "yaml"] as const;

export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** `-o table|json|yaml`. */
export function outputFlag(): Option {
  return new Option("-o, --output <format>", "how to print it")
    .choices(OUTPUT_FORMATS)
    .default("table");
}

/**
 * A report in the format that was asked for, ending with a line break.
 * @param toTable makes the text for people, called for tables only
 */
export function formatReport(report: object, format: OutputFormat, toTable: () => string): string {
  if (format === "json") return `${JSON.stringify(report, null, 2)}\n`;
  return format === "yaml" ? stringify(report, { lineWidth: 0 }) : toTable();
}
