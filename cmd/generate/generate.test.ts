import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { DEFAULT_GATEWAY_LIMITS, flagOf } from "../../gateway/limits/limits.ts";
import { generate } from "./generate.ts";
import { table } from "./markdown.ts";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../..");

describe("generated files", () => {
  test("are as the code says now", async () => {
    for (const [file, wanted] of Object.entries(await generate())) {
      expect(await readFile(path.join(PROJECT_FOLDER, file), "utf8")).toBe(wanted);
    }
  });

  test("document every command and every metric's labels", async () => {
    const files = await generate();
    expect(files["docs/cli.md"]).toContain("## link join");
    expect(files["docs/METRICS.md"]).toContain("| `isthmus_mirrors` | gauge | link, state |");
  });
});

test("every field of a Link and a Peer is documented with its type, default and rules", async () => {
  const page = (await generate())["docs/api.md"];
  expect(page).toContain("| `spec.probe.failureThreshold` | integer 1–20 | `3` | Failed probes in");
  expect(page).toContain(
    "| `spec.trustBundle` | string | required | PEM of the CA certificates of the",
  );
  expect(page).toContain("hold no private key. |");
  expect(page).toContain("| `status.conditions` | list of metav1.Condition |");
});

test("the pages of nested commands are below that of the command that holds them", async () => {
  const page = (await generate())["docs/cli.md"];
  expect(page).toMatch(/\n## link token\n[^]*\n### link token issue\n[^]*\nExamples:\n\n```sh\n# /);
  expect(page).toContain("[`link token issue`](#link-token-issue)");
});

test("every bound of the gateway is documented with its flag and default", async () => {
  const page = (await generate())["docs/LIMITS.md"];
  for (const [limit, value] of Object.entries(DEFAULT_GATEWAY_LIMITS)) {
    expect(page).toContain(`| \`--${flagOf(limit)}\` | ${value} |`);
  }
});

test("a cell of a table keeps pipes and line breaks from breaking it", () => {
  expect(table(["a"], [["x|y\nz"]])).toBe("| a |\n| --- |\n| x\\|y z |");
});
