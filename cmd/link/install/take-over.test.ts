import { expect, test } from "vitest";
import type { ManagedFieldsEntry } from "../../../api/objects.ts";
import { takeOverFields } from "./take-over.ts";

const entry = (
  manager: string,
  operation: string,
  fieldsV1: ManagedFieldsEntry["fieldsV1"],
  changes: ManagedFieldsEntry = {},
): ManagedFieldsEntry => ({
  manager,
  operation,
  apiVersion: "apps/v1",
  time: "2026-01-01T00:00:00Z",
  fieldsType: "FieldsV1",
  ...(fieldsV1 !== undefined && { fieldsV1 }),
  ...changes,
});

const object = (...managedFields: ManagedFieldsEntry[]) => ({
  metadata: { name: "isthmus-gateway", managedFields },
});

test("fields that kubectl applied become ours, beside those that already are", () => {
  const owners = takeOverFields(
    object(
      entry("isthmus-link", "Apply", { "f:spec": { "f:replicas": {} } }),
      entry("kubectl-client-side-apply", "Update", { "f:spec": { "f:paused": {} } }),
      entry("kubectl", "Apply", { "f:data": { "f:a": {} } }),
      entry("kubectl-edit", "Update", { "f:data": { "f:b": {} } }),
    ),
  );
  expect(owners).toEqual([
    entry("kubectl-edit", "Update", { "f:data": { "f:b": {} } }),
    entry("isthmus-link", "Apply", {
      "f:spec": { "f:replicas": {}, "f:paused": {} },
      "f:data": { "f:a": {} },
    }),
  ]);
});

test("what kubectl apply compares with next time is left", () => {
  const lastApplied = "f:kubectl.kubernetes.io/last-applied-configuration";
  const owners = takeOverFields(
    object(
      entry("kubectl-client-side-apply", "Update", {
        "f:metadata": { "f:annotations": { ".": {}, [lastApplied]: {}, "f:own": {} } },
      }),
    ),
  );
  expect(owners?.[0]?.fieldsV1).toEqual({
    "f:metadata": { "f:annotations": { ".": {}, "f:own": {} } },
  });
});

test("status, and fields that nobody applied, stay with their owners", () => {
  const status = entry("kubectl", "Apply", { "f:status": {} }, { subresource: "status" });
  expect(takeOverFields(object(status, entry("kubectl-edit", "Update", {})))).toBeUndefined();
  expect(takeOverFields({ metadata: { name: "a" } })).toBeUndefined();
});
