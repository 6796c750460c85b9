import { onTestFinished } from "vitest";
import { type ConditionStatus, toKubeTime } from "../../../api/conditions.ts";
import { linkDefinition, peerDefinition } from "../../../api/crd.ts";
import type { Link } from "../../../api/link.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  GATEWAY_TLS_SECRET_NAME,
  LABELS,
  MANAGED_BY,
  gatewayIdentity,
} from "../../../api/names.ts";
import {
  type EndpointSlice,
  type Secret,
  type Service,
  keyOf,
  splitKey,
} from "../../../api/objects.ts";
import type { Peer } from "../../../api/peer.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import type { CertificateAndKey } from "../../../pki/authority.ts";
import { eventually, testNamespace } from "../fixtures.ts";
import type { Identity } from "./two-gateways.ts";

/** The objects of one cluster that its gateway acts on, in a namespace of the test's own. */
export class ClusterObjects {
  readonly client: KubeClient;
  readonly namespace: string;

  private constructor(client: KubeClient, namespace: string) {
    this.client = client;
    this.namespace = namespace;
  }

  /** Makes the namespace, and the definitions of Link and Peer where they are missing. */
  static async create(client: KubeClient): Promise<ClusterObjects> {
    for (const definition of [linkDefinition(), peerDefinition()]) {
      try {
        await client.create(RESOURCES.customResourceDefinitions, definition);
      } catch (error) {
        if (!isApiError(error, "AlreadyExists")) throw error;
      }
    }
    for (const resource of [RESOURCES.links, RESOURCES.peers]) {
      await eventually(() => client.list(resource, { limit: 1 }), {
        describe: `${resource.plural} are served`,
      });
    }
    return new ClusterObjects(client, await testNamespace(client));
  }

  async setLeaf({ certificatePem, privateKeyPem }: CertificateAndKey): Promise<void> {
    await this.client.apply<Secret>(
      RESOURCES.secrets,
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace: this.namespace, name: GATEWAY_TLS_SECRET_NAME },
        type: "kubernetes.io/tls",
        data: {
          "tls.crt": Buffer.from(certificatePem).toString("base64"),
          "tls.key": Buffer.from(privateKeyPem).toString("base64"),
        },
      },
      { fieldManager: CONTROLLER_FIELD_MANAGER },
    );
  }

  async addPeer({ name, ca }: Identity): Promise<void> {
    await this.client.create<Peer>(RESOURCES.peers, {
      apiVersion: "isthmus.dev/v1alpha1",
      kind: "Peer",
      metadata: { namespace: this.namespace, name },
      spec: { clusterName: name, trustBundle: ca.certificatePem, identity: gatewayIdentity(name) },
    });
  }

  async removePeer({ name }: Identity): Promise<void> {
    await this.client.remove(RESOURCES.peers, { namespace: this.namespace, name });
  }

  /** A Link to `name`'s gateway at a port of loopback, recorded as Ready. */
  async addLink({ name, ca }: Identity, port: number): Promise<void> {
    await this.client.create<Link>(RESOURCES.links, {
      apiVersion: "isthmus.dev/v1alpha1",
      kind: "Link",
      metadata: { namespace: this.namespace, name },
      spec: {
        credentialsSecretRef: { name: "unused" },
        gateway: { addresses: ["127.0.0.1"], port, identity: gatewayIdentity(name) },
        trustBundle: ca.certificatePem,
      },
    });
    await this.setReady(name, "True");
  }

  /** Records whether a Link is Ready, as the controller does. */
  async setReady(link: string, status: ConditionStatus): Promise<void> {
    const reason = status === "True" ? REASONS.LinkReady : REASONS.CredentialsRejected;
    const lastTransitionTime = toKubeTime(Date.now());
    const ready = { type: "Ready", status, reason, message: "test", lastTransitionTime };
    await this.client.patch<Link>(
      RESOURCES.links,
      { namespace: this.namespace, name: link },
      { status: { conditions: [ready] } },
      { type: "merge", subresource: "status", fieldManager: CONTROLLER_FIELD_MANAGER },
    );
  }

  /** A mirror of port 80 of `source`, written as the controller writes it. */
  async addMirror(
    name: string,
    source: string,
    port: number,
    state: "open" | "closed" = "open",
  ): Promise<void> {
    const [cluster = ""] = source.split("/");
    await this.client.apply<Service>(
      RESOURCES.services,
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: {
          namespace: this.namespace,
          name,
          labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: cluster },
          annotations: { [ANNOTATIONS.source]: source, [ANNOTATIONS.state]: state },
        },
        spec: { ports: [{ name: "http", port: 80, targetPort: port, protocol: "TCP" }] },
      },
      { fieldManager: CONTROLLER_FIELD_MANAGER },
    );
  }

  async removeService(name: string): Promise<void> {
    await this.client.remove(RESOURCES.services, { namespace: this.namespace, name });
  }

  /** A Service with one port; `exported` sets or removes the annotation. */
  async applyService(name: string, exported: boolean): Promise<void> {
    await this.client.apply<Service>(
      RESOURCES.services,
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: {
          namespace: this.namespace,
          name,
          annotations: exported ? { [ANNOTATIONS.export]: "true" } : {},
        },
        spec: { ports: [{ name: "http", port: 80, protocol: "TCP" }] },
      },
      { fieldManager: "test" },
    );
  }

  /** An endpoint of a Service. API servers accept no address of loopback. */
  async addEndpoint(service: string, address: string, port: number): Promise<void> {
    const slice: EndpointSlice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        namespace: this.namespace,
        name: `${service}-test`,
        labels: { [LABELS.serviceName]: service },
      },
      addressType: "IPv4",
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
      ports: [{ name: "http", port, protocol: "TCP" }],
    };
    await this.client.create(RESOURCES.endpointSlices, slice);
    const { namespace, name } = splitKey(keyOf(slice));
    onTestFinished(async () => {
      const key = namespace === undefined ? { name } : { namespace, name };
      await this.client.remove(RESOURCES.endpointSlices, key);
    });
  }
}
