import type { CheckEntry, CheckReport } from "./report.ts";

/**
 * A report in the XML that CI systems read (JUnit): `fail` is a failure, `skip` is skipped; `warn`, which JUnit does not
 * know, passes with its words in system-out.
 */
export function formatJunit({ checks, summary }: CheckReport): string {
  const counts = `tests="${checks.length}" failures="${summary.fail}" errors="0" skipped="${summary.skip}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="link check" ${counts}>`,
    ...checks.flatMap(testCase),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function testCase(check: CheckEntry): string[] {
  const { id, about, result, message, docs } = check;
  const head = `    <testcase classname="isthmus.${id}" name="${escaped(about)}"`;
  const words = escaped([message, check.fix, docs].filter((text) => text !== undefined).join("\n"));
  if (result === "ok") return [`${head}/>`];
  const body = {
    warn: `<system-out>${words}</system-out>`,
    fail: `<failure type="${id}" message="${escaped(message)}">${words}</failure>`,
    skip: `<skipped message="${escaped(message)}"/>`,
  };
  return [`${head}>`, `      ${body[result]}`, "    </testcase>"];
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** Text as XML 1.0 takes it: other control characters than tab and line break are not allowed at all. */
function escaped(text: string): string {
  return text
    .replaceAll(/[^\P{Cc}\t\n]/gu, "")
    .replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? "");
}
