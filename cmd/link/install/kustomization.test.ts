import { describe, expect, test } from "vitest";
import type { Operation } from "./json-patch.ts";
import { applyPatch } from "./json-patch.ts";
import { addKustomization, readKustomization } from "./kustomization.ts";

const object = () => ({ spec: { type: "A", ports: [{ name: "a" }, { name: "b" }] } });

describe("a JSON patch", () => {
  test.each<[string, Operation, object]>([
    ["adds a field", { op: "add", path: "/spec/a~1b", value: 1 }, { "a/b": 1 }],
    ["replaces a field", { op: "replace", path: "/spec/type", value: "B" }, { type: "B" }],
    [
      "changes a field of an item",
      { op: "add", path: "/spec/ports/0/name", value: "z" },
      { ports: [{ name: "z" }, { name: "b" }] },
    ],
    [
      "puts an item before another",
      { op: "add", path: "/spec/ports/1", value: { name: "z" } },
      { ports: [{ name: "a" }, { name: "z" }, { name: "b" }] },
    ],
    [
      "puts an item at the end",
      { op: "add", path: "/spec/ports/-", value: { name: "z" } },
      { ports: [{ name: "a" }, { name: "b" }, { name: "z" }] },
    ],
    ["removes an item", { op: "remove", path: "/spec/ports/0" }, { ports: [{ name: "b" }] }],
  ])("%s", (_title, operation, spec) => {
    const target = object();
    applyPatch(target, [operation]);
    expect(target.spec).toMatchObject(spec);
  });

  test.each<Operation>([
    { op: "replace", path: "/spec/missing", value: 1 },
    { op: "remove", path: "/spec/missing" },
    { op: "add", path: "/spec/missing/deep", value: 1 },
    { op: "replace", path: "/spec/ports/2", value: 1 },
    { op: "add", path: "/spec/type/deep", value: 1 },
  ])("is refused where there is no such field: $op $path", (operation) => {
    expect(() => applyPatch(object(), [operation])).toThrow(
      `${operation.op} ${operation.path}: there is no such field`,
    );
  });
});

const HEAD = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
const service = { kind: "Service", metadata: { name: "web" } };

function component(text: string) {
  return readKustomization({ "components/x/kustomization.yaml": HEAD + text }, "components/x");
}

describe("a kustomization", () => {
  test("that says what is not understood here is refused", () => {
    expect(() => component("namePrefix: x-\n")).toThrow("namePrefix");
    const merge = "patches: [{ target: { kind: Service }, patch: '{ spec: { type: A } }' }]\n";
    expect(() => component(merge)).toThrow("expected array");
  });

  test("that names a file which is not there is refused with its path", () => {
    expect(() => component("resources: [a.yaml]\n")).toThrow(
      "manifests/components/x/a.yaml is missing",
    );
  });

  test("that patches an object which is not there is refused with its name", () => {
    const patching = component(
      "patches: [{ target: { kind: Service, name: api }, patch: '[]' }]\n",
    );
    expect(() => addKustomization([service], patching)).toThrow(
      "a patch is of Service api, which is not there",
    );
  });

  test("removes objects and labels the others", () => {
    const removing = component(
      "patches: [{ target: { kind: Service, name: web }, patch: '{ $patch: delete }' }]\nlabels: [{ pairs: { a: b } }]\n",
    );
    const other = { kind: "Secret", metadata: { name: "web", labels: { c: "d" } } };
    expect(addKustomization([service, other], removing)).toEqual([
      { kind: "Secret", metadata: { name: "web", labels: { a: "b", c: "d" } } },
    ]);
  });
});
