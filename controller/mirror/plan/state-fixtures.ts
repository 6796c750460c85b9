import { decideExport } from "../../../api/export.ts";
import { linkSpecSchema, type LinkSpec } from "../../../api/link.ts";
import {
  ANNOTATIONS,
  CONTROLLER_FIELD_MANAGER,
  gatewayIdentity,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { Namespace, Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import type { LinkView } from "../../link/link-view.ts";
import type { GatewayPod } from "../../own-cluster/gateway-pods.ts";
import { mirrorNameOf } from "./names.ts";
import type { DesiredMirror, MirrorState, Plan } from "./plan.ts";
import type { Candidate } from "./policies.ts";

/** An egress gateway that is Ready. */
export const GATEWAY: GatewayPod = {
  name: "gateway",
  namespace: "isthmus-system",
  uid: "1",
  nodeName: undefined,
  addresses: { IPv4: "10.1.0.5" },
};
const SHOP: Namespace = { metadata: { name: "shop" }, status: { phase: "Active" } };

/** What differs from a source that is mirrored and open. */
export interface Given {
  view?: Partial<LinkView>;
  spec?: Partial<LinkSpec>;
  source?: Service;
  candidate?: Partial<Candidate>;
  state?: Partial<MirrorState>;
}

function viewOf(given: Given): LinkView {
  return {
    name: "west",
    clusterName: "west",
    metadata: { name: "west" },
    spec: linkSpecSchema.parse({
      credentialsSecretRef: { name: "west" },
      gateway: { identity: gatewayIdentity("west") },
      trustBundle: "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----",
      ...given.spec,
    }),
    open: true,
    reason: REASONS.LinkReady,
    message: "",
    remote: {
      services: { get: () => undefined, list: () => [], keys: () => [], size: 0 },
      hasReadyEndpoint: () => true,
    },
    deleting: false,
    ...given.view,
  };
}

/** A source that is exported to everyone. */
export function service(name: string, metadata: Partial<Service["metadata"]> = {}): Service {
  return {
    metadata: {
      namespace: "shop",
      name,
      annotations: { [ANNOTATIONS.export]: "true" },
      ...metadata,
    },
    spec: { ports: [{ name: "http", port: 80 }] },
  };
}

/** The state of a source for which all is well, but for what is given. */
export function stateOf(given: Given): MirrorState {
  const view = viewOf(given);
  const source = given.source ?? service("web");
  const candidate: Candidate = {
    view,
    shadowed: false,
    ownClusterName: "east",
    source,
    decision: decideExport(source),
    surplusPorts: 0,
    mirrorKey: `shop/${mirrorNameOf(view, source.metadata.name)}`,
    occupant: undefined,
    rival: undefined,
    namespace: SHOP,
    ...given.candidate,
  };
  return {
    linkExists: true,
    view,
    mirrors: [],
    candidate,
    sourceReady: true,
    damping: { admitted: "ready", flapping: false },
    egressPorts: [12_345],
    gateways: [GATEWAY],
    ...given.state,
  };
}

/** A mirror Service as the cache has it. */
export function mirrorOf(annotations: Record<string, string> = {}): Service {
  const labels = { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: "west" };
  return {
    metadata: {
      namespace: "shop",
      name: "web-west",
      uid: "1",
      labels,
      annotations,
      managedFields: [{ manager: CONTROLLER_FIELD_MANAGER }],
    },
    spec: { ipFamilies: ["IPv4"], ports: [{ name: "http", port: 80, targetPort: 12_345 }] },
  };
}

/** `present open`, `absent NameTaken`, …: what the plan amounts to. */
export function told(plan: Plan): string {
  if (plan.kind === "present") return toldOf(plan.mirror);
  if (plan.kind === "hold") return `hold ${plan.mirrors.map(toldOf).join()}`;
  return "skip" in plan && plan.skip ? `${plan.kind} ${plan.skip.reason}` : plan.kind;
}

function toldOf({ status }: DesiredMirror): string {
  return `${status.state} ${status.reason}`;
}
