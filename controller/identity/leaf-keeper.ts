import type { Clock } from "../../api/clock.ts";
import {
  CONTROLLER_FIELD_MANAGER,
  GATEWAY_TLS_SECRET_NAME,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../api/names.ts";
import type { Secret } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { KubeClient } from "../../kube/client/client.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Logger } from "../../kube/logger.ts";
import { issueLeaf } from "../../pki/authority.ts";
import type { LinkMetrics } from "../metrics.ts";
import { reportSecret, tell } from "./identity-events.ts";
import { isOurSecret, type OwnAuthority, planLeaf, tlsData } from "./own-secrets.ts";

export interface LeafKeeperOptions {
  client: KubeClient;
  clusterName: string;
  events: EventRecorder;
  clock: Clock;
  logger: Logger;
  metrics: LinkMetrics;
}

/** The gateways' leaf as it is kept; times in epoch ms. */
export interface KeptLeaf {
  readonly notAfterMs: number;
  /** When it has to be looked at again. */
  readonly dueMs: number;
  /** Whether the CA that signs now has issued it. */
  readonly issuedByOwn: boolean;
}

/** Issues the gateways' leaf where it is missing, due or of another CA than signs now. Undefined when it will not do. */
export async function keepLeaf(
  options: LeafKeeperOptions,
  own: OwnAuthority,
  secret: Secret | undefined,
  { signal }: { signal: AbortSignal },
): Promise<KeptLeaf | undefined> {
  const { client, clock, clusterName, metrics } = options;
  const identity = gatewayIdentity(clusterName);
  const nowMs = clock.nowMs();
  const issuerPem = own.authority.certificatePem;
  const foreign = secret !== undefined && !isOurSecret(secret);
  const bundlePem = foreign ? own.bundlePem : issuerPem;
  const plan = planLeaf(secret, { bundlePem, identity }, nowMs);
  if (plan.action === "report") {
    if (secret !== undefined) reportSecret(options, secret, REASONS.LeafInvalid, plan.message);
    return undefined;
  }
  if (plan.action === "none") {
    metrics.certificateExpiry.set({ certificate: "leaf" }, plan.notAfterMs / 1000);
    const issuedByOwn =
      !foreign || planLeaf(secret, { bundlePem: issuerPem, identity }, nowMs).action === "none";
    return { ...plan, issuedByOwn };
  }
  const leaf = await issueLeaf(own.authority, { identity, nowMs });
  const data = tlsData(leaf, issuerPem);
  const key = { namespace: INSTALL_NAMESPACE, name: GATEWAY_TLS_SECRET_NAME };
  const written =
    secret === undefined
      ? await client.create<Secret>(
          RESOURCES.secrets,
          {
            metadata: { ...key, labels: { [LABELS.managedBy]: MANAGED_BY } },
            type: "kubernetes.io/tls",
            data,
          },
          { signal },
        )
      : await client.patch<Secret>(
          RESOURCES.secrets,
          key,
          { metadata: { resourceVersion: secret.metadata.resourceVersion }, data },
          { type: "merge", fieldManager: CONTROLLER_FIELD_MANAGER, signal },
        );
  tell(options, written, REASONS.LeafIssued, `Issued the gateways' certificate ${identity}.`);
  const kept = planLeaf(written, { bundlePem: issuerPem, identity }, nowMs);
  if (kept.action !== "none") return undefined;
  metrics.certificateExpiry.set({ certificate: "leaf" }, kept.notAfterMs / 1000);
  return { ...kept, issuedByOwn: true };
}
