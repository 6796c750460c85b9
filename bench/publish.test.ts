import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { replaceBetweenMarkers } from "./publish.ts";

const page = readFileSync(new URL("../docs/benchmarks.md", import.meta.url), "utf8");

describe.each(["gateway", "failover"])("what the bench %s publishes", (bench) => {
  it("finds its place in the page of figures, again and again, and leaves the rest alone", () => {
    const once = replaceBetweenMarkers(page, bench, "first");
    const twice = replaceBetweenMarkers(once, bench, "second");
    expect(twice).toContain("second");
    expect(twice).not.toContain("first\n");
    expect(replaceBetweenMarkers(page, bench, "second")).toBe(twice);
    expect(twice.slice(0, 100)).toBe(page.slice(0, 100));
    expect(twice.slice(-100)).toBe(page.slice(-100));
    expect(twice.match(/^## .*/gm)).toEqual(page.match(/^## .*/gm));
  });
});

it("refuses a page without a place for it", () => {
  expect(() => replaceBetweenMarkers(page, "smoke", "")).toThrow("no ");
});
