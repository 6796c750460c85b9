import { describe, expect, test } from "vitest";
import { ApiError, KubeConnectionError } from "../../kube/client/api-error.ts";
import { CliError, toCliError } from "./cli-error.ts";

function refused(message: string) {
  const body = { kind: "Status" as const, reason: "Forbidden", message };
  return new ApiError({ statusCode: 403, operation: "GET https://west:6443/x", body });
}

describe("an error of the API", () => {
  test.each([
    [
      'services is forbidden: User "eve" cannot list resource "services" in API group "" in the namespace "shop"',
      "kubectl auth can-i list services -n shop",
    ],
    [
      'links.isthmus.dev is forbidden: User "eve" cannot patch resource "links" in API group "isthmus.dev" at the cluster scope',
      "kubectl auth can-i patch links.isthmus.dev --all-namespaces",
    ],
    [
      'serviceaccounts "x" is forbidden: User "eve" cannot create resource "serviceaccounts/token" in API group "" in the namespace "isthmus-system"',
      "kubectl auth can-i create serviceaccounts --subresource=token -n isthmus-system",
    ],
  ])("that RBAC gives is told in its words, with how to look: %s", (message, command) => {
    const failure = toCliError(refused(message));
    expect(failure.message).toBe(message);
    expect(failure.fix?.endsWith(`To look: ${command}`)).toBe(true);
  });

  test("that refuses for another reason still says who may", () => {
    expect(toCliError(refused("attempting to grant RBAC permissions")).fix).toContain(
      "cluster administrator",
    );
  });

  test("about a kind of ours that is not there says that Isthmus is not installed", () => {
    const operation =
      "GET https://west:6443/apis/isthmus.dev/v1alpha1/namespaces/isthmus-system/links";
    const text = "the server could not find the requested resource";
    const failure = toCliError(new ApiError({ statusCode: 404, operation, text }));
    expect(failure.message).toBe(
      "the cluster does not know links.isthmus.dev: Isthmus is not installed",
    );
    expect(failure.fix).toBe("link install");
  });
});

test.each([
  ["https://west.example", "no answer from https://west.example:443: refused"],
  ["https://[::1]/base", "no answer from https://[::1]:443/base: refused"],
  ["https://west:6443", "no answer from https://west:6443: refused"],
])("an error of the network names host and port of %s", (server, words) => {
  const error = new KubeConnectionError({ code: "ECONNREFUSED", server, detail: "refused" });
  expect(toCliError(error).message).toBe(`${words} (ECONNREFUSED)`);
});

test("whatever fails after Ctrl-C is an interruption, unless it says itself what it is", () => {
  const signal = AbortSignal.abort();
  expect(toCliError(new Error("x"), signal)).toMatchObject({ exitCode: 130 });
  expect(toCliError(new CliError("y"), signal)).toMatchObject({ message: "y", exitCode: 1 });
});
