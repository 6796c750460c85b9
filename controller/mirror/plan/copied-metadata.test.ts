import { expect, test } from "vitest";
import { copyAnnotations, copyLabels } from "./copied-metadata.ts";

test.for([
  ["team", true],
  ["example.com/team", true],
  ["app.kubernetes.io/name", false],
  ["kubernetes.io/service-name", false],
  ["service.beta.kubernetes.io/aws-load-balancer-type", false],
  ["k8s.io/x", false],
  ["isthmus.dev/export", false],
  ["sub.isthmus.dev/x", false],
  ["kubectl.kubernetes.io/last-applied-configuration", false],
  ["argocd.argoproj.io/tracking-id", false],
  ["meta.helm.sh/release-name", false],
  ["notkubernetes.io/x", true],
  ["a/b/c", false],
  ["bad key", false],
  ["__proto__", false],
  ["", false],
] as const)("the annotation %j is copied: %j", ([key, copied]) => {
  const source: Record<string, string> = JSON.parse(`{${JSON.stringify(key)}: "v"}`);
  expect(copyAnnotations(source)).toEqual(copied ? { [key]: "v" } : {});
});

test("a label whose value the API server would reject is not copied", () => {
  expect(copyLabels({ good: "yes", empty: "", bad: "no way!", long: "x".repeat(64) })).toEqual({
    good: "yes",
    empty: "",
  });
});

test("annotations are copied up to a total size, the same ones whatever their order", () => {
  const big = { b: "x".repeat(30_000), a: "x".repeat(5000), c: "small" };
  const copy = copyAnnotations(big);
  expect(Object.keys(copy)).toEqual(["a", "c"]);
  expect(copyAnnotations({ c: big.c, a: big.a, b: big.b })).toEqual(copy);
});
