import { describe, expect, it } from "vitest";
import { ApiError, KubeConnectionError } from "../../../kube/client/api-error.ts";
import { classifyApiFailure } from "./api-failure.ts";

const SERVER = "https://west.example:6443";

function answer(statusCode: number, message = ""): ApiError {
  return new ApiError({ statusCode, operation: `GET ${SERVER}/api`, body: { message } });
}

function connection(code: string): KubeConnectionError {
  return new KubeConnectionError({ code, server: SERVER, detail: "detail" });
}

describe("an error of a provider's API", () => {
  it.each([
    { error: answer(401), kind: "denied", reason: "CredentialsRejected" },
    { error: answer(403), kind: "denied", reason: "PermissionDenied" },
    { error: answer(500), kind: "lost", reason: "ServerError" },
    { error: connection("ECONNREFUSED"), kind: "lost", reason: "ServerUnreachable" },
    { error: connection("UND_ERR_CONNECT_TIMEOUT"), kind: "lost", reason: "ServerUnreachable" },
    {
      error: connection("SELF_SIGNED_CERT_IN_CHAIN"),
      kind: "lost",
      reason: "ServerCertificateInvalid",
    },
    { error: connection("INVALID_RESPONSE"), kind: "lost", reason: "ServerError" },
    { error: new Error("anything"), kind: "lost", reason: "ServerError" },
  ])("is $reason ($kind), and names the server", ({ error, kind, reason }) => {
    const failure = classifyApiFailure(error, SERVER);
    expect(failure).toMatchObject({ kind, reason });
    expect(failure.message).toContain(SERVER);
  });

  it("names the verb and the resource that are denied", () => {
    const message =
      'endpointslices.discovery.k8s.io is forbidden: User "u" cannot list resource "endpointslices" in API group "discovery.k8s.io" at the cluster scope';
    expect(classifyApiFailure(answer(403, message), SERVER).message).toContain(
      "verb list on resource endpointslices.discovery.k8s.io",
    );
  });

  it("is an unreachable server when we gave up waiting", () => {
    expect(classifyApiFailure(new Error("aborted"), SERVER, true)).toMatchObject({
      kind: "lost",
      reason: "ServerUnreachable",
    });
  });
});
