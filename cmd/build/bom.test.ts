import { expect, test } from "vitest";
import { packageFolders } from "./bom.ts";

test("the sources of a bundle are of the innermost packages that hold them", () => {
  const inputs = [
    "cmd/link/link.ts",
    "node_modules/undici/index.js",
    "node_modules/undici/lib/api/index.js",
    "node_modules/@peculiar/x509/build/x509.es.js",
    "node_modules/a/node_modules/@b/c/lib/c.js",
  ];
  expect([...packageFolders(inputs)]).toEqual([
    "node_modules/@peculiar/x509",
    "node_modules/a/node_modules/@b/c",
    "node_modules/undici",
  ]);
});
