import { expect, test } from "vitest";
import { REASONS } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import { ApiError, type Status } from "../../kube/client/api-error.ts";
import { toWriteFailure, WriteFailure } from "./write-failure.ts";

function answer(statusCode: number, body: Status = {}): ApiError {
  return new ApiError({ statusCode, operation: "POST https://host/path", body });
}

test.for<[number, Status, string, string]>([
  [
    403,
    { message: "no" },
    REASONS.WriteForbidden,
    "may not create endpointslices.discovery.k8s.io",
  ],
  [
    403,
    { details: { causes: [{ reason: "NamespaceTerminating" }] } },
    REASONS.NamespaceTerminating,
    "being deleted",
  ],
  [404, { message: "namespaces not found" }, REASONS.NamespaceMissing, "namespace is gone"],
  [422, { message: "spec.ports: bad\n value" }, REASONS.WriteRejected, "spec.ports: bad value"],
  [413, { message: "too large" }, REASONS.WriteRejected, "too large"],
])("an answer of %i on create is told as %s", ([code, body, reason, text]) => {
  const failure = toWriteFailure(
    answer(code, body),
    "create",
    RESOURCES.endpointSlices,
    "shop/web-west-ipv4",
  );
  expect(failure).toBeInstanceOf(WriteFailure);
  expect(failure).toMatchObject({ reason });
  expect(failure instanceof Error && failure.message).toContain(text);
});

test("what nobody has to mend stays the error it was", () => {
  for (const error of [answer(409), answer(500), new Error("socket")]) {
    expect(toWriteFailure(error, "patch", RESOURCES.services, "shop/web")).toBe(error);
  }
});
