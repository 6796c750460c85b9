import { describe, expect, it } from "vitest";
import type { Secret } from "../../../api/objects.ts";
import {
  credentialsSecretKeyOf,
  holdsKubeconfig,
  kubeconfigPatch,
  kubeconfigTextOf,
} from "./credentials.ts";

function secret(data: Record<string, string>): Secret {
  return { metadata: { name: "west", resourceVersion: "7" }, data };
}

describe("the kubeconfig of a credentials Secret", () => {
  it.each([
    { name: "no Secret", from: undefined, reason: "SecretNotFound" },
    { name: "no key", from: secret({ config: "YQ==" }), reason: "SecretKeyMissing" },
    { name: "an empty key", from: secret({ kubeconfig: "" }), reason: "SecretKeyMissing" },
    { name: "no base64", from: secret({ kubeconfig: "~~~" }), reason: "KubeconfigInvalid" },
  ])("with $name is refused, naming the Secret", ({ from, reason }) => {
    expect(() => kubeconfigTextOf(from, "west")).toThrow(
      expect.objectContaining({ reason, message: expect.stringContaining("isthmus-system/west") }),
    );
  });

  it("is written back only over the version that was read", () => {
    expect(kubeconfigPatch(secret({}), "text")).toEqual({
      metadata: { resourceVersion: "7" },
      data: { kubeconfig: "dGV4dA==" },
    });
    expect(holdsKubeconfig(secret({ kubeconfig: "dGV4dA==" }), "text")).toBe(true);
    expect(holdsKubeconfig(secret({ kubeconfig: "dGV4dA==" }), "other")).toBe(false);
  });

  it("is found by the Link's reference even where the rest of its spec is invalid", () => {
    const link = { metadata: { name: "west" }, spec: { credentialsSecretRef: { name: "s" } } };
    expect(credentialsSecretKeyOf(link)).toBe("isthmus-system/s");
    expect(credentialsSecretKeyOf({ metadata: { name: "west" }, spec: "?" })).toBeUndefined();
  });
});
