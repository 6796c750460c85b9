import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");
/** `file`: title; as docs/security.md names tests, up to the end of the cell or of the parenthesis. */
const NAMED_TEST = /`([^`]+\.test\.ts)`: (.+?)(?=; `|\s*\||\)\.)/g;

test("every test that docs/security.md names exists", () => {
  const page = readFileSync(path.join(PROJECT_FOLDER, "docs/security.md"), "utf8");
  const named = [...page.matchAll(NAMED_TEST)].map(([, file = "", title = ""]) => ({
    file,
    title,
  }));
  const missing = named.filter(({ file, title }) => {
    const absolute = path.join(PROJECT_FOLDER, file);
    return !existsSync(absolute) || !readFileSync(absolute, "utf8").includes(`"${title}"`);
  });
  expect(missing).toEqual([]);
  expect(named.length).toBeGreaterThan(40);
});

test("every claim of docs/security.md in a table names a test", () => {
  const page = readFileSync(path.join(PROJECT_FOLDER, "docs/security.md"), "utf8");
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("|") && !line.includes("---") && !line.includes("Shown by"));
  expect(rows.filter((row) => !row.includes(".test.ts`: "))).toEqual([]);
  expect(rows.length).toBeGreaterThan(30);
});
