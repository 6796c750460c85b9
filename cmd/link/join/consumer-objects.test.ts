import { describe, expect, test } from "vitest";
import { parseLinkSpec } from "../../../api/link.ts";
import { gatewayIdentity } from "../../../api/names.ts";
import { parseLinkKubeconfig } from "../../../kube/kubeconfig/kubeconfig.ts";
import { createAuthority } from "../../../pki/authority.ts";
import { linkKubeconfig, linkObject } from "./consumer-objects.ts";

const { certificatePem } = await createAuthority({ clusterName: "west", nowMs: Date.now() });

describe("the kubeconfig of a link", () => {
  test("is one that the controller accepts", () => {
    const endpoint = {
      server: "https://west:6443",
      caPem: certificatePem,
      tlsServerName: "api.west",
    };
    const config = parseLinkKubeconfig(linkKubeconfig("west", endpoint, "token"), "Secret x");
    expect(config.getCurrentCluster()).toMatchObject({
      server: "https://west:6443",
      caData: Buffer.from(certificatePem).toString("base64"),
      tlsServerName: "api.west",
      skipTLSVerify: false,
    });
    expect(config.getCurrentUser()?.token).toBe("token");
  });

  test("leaves the CA out where the system's own are meant", () => {
    const endpoint = { server: "https://west:6443", caPem: undefined, tlsServerName: undefined };
    const config = parseLinkKubeconfig(linkKubeconfig("west", endpoint, "token"), "Secret x");
    expect(config.getCurrentCluster()?.caData).toBeUndefined();
  });
});

test("the Link of a join is one that the controller accepts", () => {
  const provider = {
    clusterName: "west",
    gatewayIdentity: gatewayIdentity("west"),
    trustBundle: certificatePem,
  };
  const { object } = linkObject("far-west", provider, { addresses: ["10.0.0.1"], port: 443 });
  expect(parseLinkSpec(object)).toMatchObject({
    clusterName: "west",
    credentialsSecretRef: { name: "isthmus-link-west" },
    gateway: { addresses: ["10.0.0.1"], port: 443 },
  });
});
