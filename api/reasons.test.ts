import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { REASONS } from "./reasons.ts";

it("has every reason explained in docs/conditions.md, and no other", () => {
  const page = readFileSync(new URL("../docs/conditions.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  const explained = rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`([A-Z]\w+)`/g)].map(([, reason]) => reason),
  );
  expect(new Set(explained)).toEqual(new Set(Object.keys(REASONS)));
  expect(explained).toHaveLength(new Set(explained).size);
  expect(Object.entries(REASONS).filter(([key, value]) => key !== value)).toEqual([]);
});
