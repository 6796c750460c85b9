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
  ["x".repeat(64), false],
  [`${"x".repeat(63)}.${"y".repeat(63)}/${"z".repeat(63)}`, true],
  [`${"x".repeat(64)}.com/team`, false],
  [`${"a.".repeat(127)}b/team`, false],
  ["a..b/team", false],
  ["-a/team", false],
  ["line\nend", false],
] as const)("the annotation %j is copied: %j", ([key, copied]) => {
  const source: Record<string, string> = JSON.parse(`{${JSON.stringify(key)}: "v"}`);
  expect(copyAnnotations(source).values).toEqual(copied ? { [key]: "v" } : {});
});

test("a label whose value the API server would reject is not copied", () => {
  expect(
    copyLabels({ good: "yes", empty: "", bad: "no way!", long: "x".repeat(64), line: "a\nb" }),
  ).toEqual({
    values: { good: "yes", empty: "" },
    omitted: 0,
  });
});

test("annotations are copied up to a total size, the same ones whatever their order", () => {
  const big = { b: "x".repeat(30_000), a: "x".repeat(5000), c: "small" };
  const copy = copyAnnotations(big);
  expect(Object.keys(copy.values)).toEqual(["a", "c"]);
  expect(copy.omitted).toBe(1);
  expect(copyAnnotations({ c: big.c, a: big.a, b: big.b })).toEqual(copy);
});

test("the size that counts is that in bytes", () => {
  expect(copyAnnotations({ a: "日".repeat(11_000) })).toEqual({ values: {}, omitted: 1 });
});

test("control characters in annotations are copied, half a surrogate pair is not: it would never be what was written", () => {
  const lines = "a\nb\u{0}\u{1B}";
  expect(copyAnnotations({ lines, half: "\u{D800}" }).values).toEqual({ lines });
});
