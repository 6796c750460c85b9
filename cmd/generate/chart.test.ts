import { describe, expect, test } from "vitest";
import { chartFiles } from "./chart.ts";
import { templateText } from "./chart-text.ts";
import { addOperation, replaceValues, template, treeOf } from "./chart-tree.ts";

describe("a template of the chart", () => {
  test("asks for the later component first, and says what holds without any", () => {
    const tree = treeOf({ spec: { type: "A", port: 1 } });
    addOperation(tree, ".Values.b", { op: "replace", path: "/spec/type", value: "B" });
    addOperation(tree, ".Values.c", { op: "remove", path: "/spec/type" });
    expect(templateText(tree)).toBe(
      [
        "spec:",
        "  {{- if .Values.c }}",
        "  {{- else if .Values.b }}",
        "  type: B",
        "  {{- else }}",
        "  type: A",
        "  {{- end }}",
        "  port: 1",
        "",
      ].join("\n"),
    );
  });

  test("keeps items that come and go in their list", () => {
    const tree = treeOf({ ports: [{ name: "a" }, { name: "b" }] });
    addOperation(tree, ".Values.x", { op: "add", path: "/ports/0/host", value: 1 });
    addOperation(tree, ".Values.y", { op: "add", path: "/ports/-", value: { name: "c" } });
    expect(templateText(tree)).toBe(
      [
        "ports:",
        "  - name: a",
        "    {{- if .Values.x }}",
        "    host: 1",
        "    {{- end }}",
        "  - name: b",
        "  {{- if .Values.y }}",
        "  - name: c",
        "  {{- end }}",
        "",
      ].join("\n"),
    );
  });

  test("keeps what looks like an action from being one", () => {
    expect(templateText(treeOf({ legend: "{{ $labels.link }} is down" }))).toBe(
      'legend: "{{ "{{" }} $labels.link }} is down"\n',
    );
  });

  test("has actions of ours in the place of values", () => {
    const tree = treeOf({ image: "a" });
    replaceValues(tree, ["image"], () => template("{{ .Values.image }}"));
    expect(templateText(tree)).toBe("image: {{ .Values.image }}\n");
  });

  test("is refused where a map could become null", () => {
    const tree = treeOf({ spec: { type: "A" } });
    addOperation(tree, ".Values.x", { op: "remove", path: "/spec/type" });
    expect(() => templateText(tree)).toThrow("would be null without values: type");
  });

  test("is refused when a patch is of a field that is not there", () => {
    const operation = { op: "replace", path: "/spec/none", value: 1 } as const;
    expect(() => addOperation(treeOf({ spec: {} }), ".Values.x", operation)).toThrow(
      "/spec/none: there is no such field",
    );
  });
});

test("Helm leaves definitions and namespace, and with them Links and the CA, when the release goes", async () => {
  const kept = Object.entries(await chartFiles({}))
    .filter(([, text]) => text.includes("helm.sh/resource-policy: keep"))
    .map(([file]) => file.replace(/^.*\//, ""));
  expect(kept.toSorted()).toEqual([
    "customresourcedefinition-links.isthmus.dev.yaml",
    "customresourcedefinition-peers.isthmus.dev.yaml",
    "namespace-isthmus-system.yaml",
  ]);
});
