import { describe, expect, test } from "vitest";
import { packRequests } from "./gateway-probes.ts";
import { probePod } from "./probe-pod.ts";

function link(name: string, bytes: number) {
  return {
    name,
    addresses: ["10.0.0.1"],
    port: 1,
    identity: "i",
    trustBundle: "x".repeat(bytes),
  };
}

describe("the requests of the probe's pods", () => {
  test("go together into one pod as far as they fit into a variable", () => {
    const links = ["a", "b", "c"].map((name) => link(name, 40_000));
    const packs = packRequests(links).map((pack) => pack.map(({ name }) => name));
    expect(packs).toEqual([["a", "b"], ["c"]]);
  });

  test("lose no Link, however large its bundle", () => {
    const links = Array.from({ length: 40 }, (_none, index) => link(String(index), 64 * 1024));
    expect(packRequests(links).flat()).toEqual(links);
    for (const pack of packRequests(links)) {
      expect(Buffer.byteLength(JSON.stringify(pack))).toBeLessThan(128 * 1024);
    }
  });
});

describe("a probe's pod", () => {
  const like = {
    imagePullSecrets: [{ name: "registry" }],
    tolerations: [{ key: "edge", operator: "Exists" }],
    containers: [{ name: "gateway", image: "registry.test/isthmus:1", imagePullPolicy: "Always" }],
  };
  const options = {
    namespace: "shop",
    like,
    mode: "call",
    request: {},
    deadlineSeconds: 9,
  } as const;

  test("has the gateways' image, and their pull secrets only where these exist", () => {
    const spec = {
      tolerations: like.tolerations,
      activeDeadlineSeconds: 9,
      restartPolicy: "Never",
    };
    const containers = [expect.objectContaining({ image: "registry.test/isthmus:1" })];
    expect(probePod({ ...options, pullSecrets: true }).spec).toMatchObject({
      ...spec,
      containers,
      imagePullSecrets: like.imagePullSecrets,
    });
    expect(probePod({ ...options, pullSecrets: false }).spec).not.toHaveProperty(
      "imagePullSecrets",
    );
  });

  test("has no account's token, and is not taken for a gateway", () => {
    const pod = probePod({ ...options, pullSecrets: false });
    expect(pod.spec).toMatchObject({ automountServiceAccountToken: false });
    expect(pod.metadata.labels?.["app.kubernetes.io/name"]).toBe("isthmus-probe");
  });
});
