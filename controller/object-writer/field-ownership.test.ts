import { expect, test } from "vitest";
import { CONTROLLER_FIELD_MANAGER } from "../../api/names.ts";
import type { ManagedFieldsEntry } from "../../api/objects.ts";
import { consolidated, ownedKeys } from "./field-ownership.ts";

const created: ManagedFieldsEntry = {
  manager: CONTROLLER_FIELD_MANAGER,
  operation: "Update",
  apiVersion: "v1",
  fieldsType: "FieldsV1",
  fieldsV1: {
    "f:metadata": { "f:labels": { ".": {}, "f:team": {} } },
    "f:spec": { "f:ports": { 'k:{"port":80}': { ".": {} } }, "f:type": {} },
  },
};
const applied: ManagedFieldsEntry = {
  ...created,
  operation: "Apply",
  fieldsV1: { "f:metadata": { "f:labels": { "f:tier": {} } } },
};
const edited: ManagedFieldsEntry = {
  manager: "kubectl-edit",
  operation: "Update",
  fieldsV1: { "f:spec": { "f:selector": {}, "f:ports": { 'k:{"port":99}': {} } } },
};
const annotated: ManagedFieldsEntry = {
  manager: "someone",
  operation: "Update",
  fieldsV1: { "f:metadata": { "f:annotations": { "f:note": {} } }, "f:spec": { "f:selector": {} } },
};
const status: ManagedFieldsEntry = {
  manager: "cloud",
  operation: "Update",
  subresource: "status",
  fieldsV1: { "f:status": {} },
};

test("labels are ours when our manager set them, on creation or since", () => {
  const metadata = { name: "web", managedFields: [created, applied, annotated] };
  expect([...ownedKeys({ metadata }, "labels")].toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    "team",
    "tier",
  ]);
  expect([...ownedKeys({ metadata }, "annotations")]).toEqual([]);
});

test("ownership put in order: ours in one applied entry, what only we may set taken over", () => {
  const [left, kept, ours, ...more] = consolidated([created, applied, edited, annotated, status]);
  expect(more).toEqual([]);
  expect(left).toEqual({
    ...annotated,
    fieldsV1: { "f:metadata": { "f:annotations": { "f:note": {} } } },
  });
  expect(kept).toEqual(status);
  expect(ours).toMatchObject({ manager: CONTROLLER_FIELD_MANAGER, operation: "Apply" });
  expect(ours?.fieldsV1).toEqual({
    "f:metadata": { "f:labels": { ".": {}, "f:team": {}, "f:tier": {} } },
    "f:spec": {
      "f:ports": { 'k:{"port":80}': { ".": {} }, 'k:{"port":99}': {} },
      "f:type": {},
      "f:selector": {},
    },
  });
});

test("an object that is not ours is left as it is", () => {
  expect(consolidated([edited, status])).toEqual([edited, status]);
});
