import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { formatChecks } from "./check-table.ts";
import { formatJunit } from "./junit.ts";
import { CHECKS, findingsOf, reportOf } from "./report.ts";

const TROUBLESHOOTING = new URL("../../../docs/troubleshooting.md", import.meta.url);

const report = reportOf([
  findingsOf("end-to-end", "Link west").skip("not looked at: --no-probe"),
  findingsOf("kube-api", "context east").ok("answers"),
  findingsOf("path-mtu", "Link west").fail('payloads <of> "1400" & more\u0007', "clamp the MSS"),
  findingsOf("egress-ports", "mirrors").warn("many", "export fewer"),
]);

describe("docs/troubleshooting.md", () => {
  test("has one section for each check, under its id, and none for others", () => {
    const text = readFileSync(TROUBLESHOOTING, "utf8");
    const sections = [...text.matchAll(/^### `?([a-z-]+)`?$/gm)].map((match) => match[1]);
    expect(sections).toEqual(Object.keys(CHECKS));
  });
});

describe("a report", () => {
  test("has the checks in the order in which they build on each other, and counts them", () => {
    expect(report.checks.map(({ id }) => id)).toEqual([
      "kube-api",
      "path-mtu",
      "egress-ports",
      "end-to-end",
    ]);
    expect(report.summary).toEqual({ ok: 1, warn: 1, fail: 1, skip: 1 });
    expect(report.checks[1]?.docs).toBe("docs/troubleshooting.md#path-mtu");
  });

  test("is a table with what mends each thing that is wrong", () => {
    const text = formatChecks(report, false);
    expect(text).toContain("RESULT   CHECK");
    expect(text).toContain(
      "path-mtu, Link west\n  clamp the MSS\n  docs/troubleshooting.md#path-mtu",
    );
    expect(text).toContain("1 ok, 1 warn, 1 fail, 1 skip");
  });

  test("is JUnit XML, in which nothing breaks out of its place", () => {
    const xml = formatJunit(report);
    expect(xml).toContain('<testsuites tests="4" failures="1" errors="0" skipped="1">');
    expect(xml).toContain(
      '<failure type="path-mtu" message="payloads &lt;of&gt; &quot;1400&quot; &amp; more">',
    );
    expect(xml).toContain('<skipped message="not looked at: --no-probe"/>');
    expect(xml).toContain("<system-out>many\nexport fewer");
  });
});
