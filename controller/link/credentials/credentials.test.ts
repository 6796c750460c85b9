import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Secret } from "../../../api/objects.ts";
import {
  credentialsSecretKeyOf,
  holdsKubeconfig,
  kubeconfigPatch,
  kubeconfigTextOf,
} from "./credentials.ts";

const patchSchema = z.object({ data: z.record(z.string(), z.string()) });

/** A token as an API server makes it; nobody here looks at its signature. */
function token({ exp, uid = "one", account = "isthmus-link-east" }: Record<string, unknown>) {
  const claims = {
    exp,
    iat: 1000,
    sub: `system:serviceaccount:isthmus-system:${String(account)}`,
    "kubernetes.io": { serviceaccount: { uid } },
  };
  return `head.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;
}

function kubeconfigWith(bearer: string): string {
  return JSON.stringify({
    contexts: [{ name: "west", context: { cluster: "west", user: "west" } }],
    users: [{ name: "west", user: { token: bearer } }],
    "current-context": "west",
  });
}

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
      data: { kubeconfig: "dGV4dA==", renewedToken: "" },
    });
    expect(holdsKubeconfig(secret({ kubeconfig: "dGV4dA==" }), "text")).toBe(true);
    expect(holdsKubeconfig(secret({ kubeconfig: "dGV4dA==" }), "other")).toBe(false);
  });

  it("keeps a renewed token when the first one is put back from a repository", () => {
    const first = kubeconfigWith(token({ exp: 2000 }));
    const renewed = kubeconfigWith(token({ exp: 3000 }));
    const { data } = patchSchema.parse(kubeconfigPatch(secret({}), renewed));
    const putBack = secret({ ...data, kubeconfig: Buffer.from(first).toString("base64") });
    expect(kubeconfigTextOf(putBack, "west")).toBe(renewed);
    expect(holdsKubeconfig(putBack, renewed)).toBe(true);
  });

  it.each([
    ["lives longer", token({ exp: 4000 })],
    ["is of an account made anew", token({ exp: 2000, uid: "another" })],
    ["is of another account", token({ exp: 2000, account: "isthmus-link-north" })],
  ])("takes a new token that %s before the renewed one", (_how, fresh) => {
    const { data } = patchSchema.parse(
      kubeconfigPatch(secret({}), kubeconfigWith(token({ exp: 3000 }))),
    );
    const text = kubeconfigWith(fresh);
    const joinedAgain = secret({ ...data, kubeconfig: Buffer.from(text).toString("base64") });
    expect(kubeconfigTextOf(joinedAgain, "west")).toBe(text);
  });

  it("is found by the Link's reference even where the rest of its spec is invalid", () => {
    const link = { metadata: { name: "west" }, spec: { credentialsSecretRef: { name: "s" } } };
    expect(credentialsSecretKeyOf(link)).toBe("isthmus-system/s");
    expect(credentialsSecretKeyOf({ metadata: { name: "west" }, spec: "?" })).toBeUndefined();
  });
});
