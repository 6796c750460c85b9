import type { FailoverStateName } from "../../../api/failover.ts";
import { ANNOTATIONS, ENDPOINT_SLICE_MANAGED_BY, LABELS, MANAGED_BY } from "../../../api/names.ts";
import type { EndpointConditions, EndpointSlice, Service } from "../../../api/objects.ts";
import { failoverSliceName, formatSource, sourceOf } from "../../../api/ownership.ts";
import { apiVersionOf, RESOURCES } from "../../../api/resources.ts";
import { type GatewayPod, ipFamiliesOf } from "../../own-cluster/gateway-pods.ts";
import type { FailoverPlan, Recorded, RestForm } from "./plan.ts";

const STATES: readonly FailoverStateName[] = [
  "standby",
  "unprotected",
  "activating",
  "active",
  "returning",
  "closed",
];

const READY: EndpointConditions = { ready: true, serving: true, terminating: false };
const REST: Readonly<Record<RestForm, EndpointConditions | undefined>> = {
  // kube-proxy uses such endpoints only while the Service has none that is ready (KEP-1669).
  standby: { ready: false, serving: true, terminating: true },
  // Some data planes count endpoints that are not ready: Envoy as draining, towards its panic mode.
  absent: undefined,
};

/** What slices of ours say of the decision that they were written by. */
export function recordOf(
  slices: readonly EndpointSlice[],
): Recorded & { since: string | undefined } {
  const [slice] = slices;
  const annotations = slice?.metadata.annotations ?? {};
  return {
    target: slice && sourceOf(slice),
    state: STATES.find((state) => state === annotations[ANNOTATIONS.state]),
    since: annotations[ANNOTATIONS.stateSince],
  };
}

/**
 * EndpointSlices by which the Service fails over, one for each of its IP
 * families. The endpoints have no nodeName: what is Local to a node
 * (externalTrafficPolicy) must not leave the cluster only because that node has
 * a gateway and none of the Service's pods.
 *
 * @param since when the state of the plan began, RFC 3339
 */
export function failoverSlices(options: {
  service: Service;
  plan: FailoverPlan;
  gateways: readonly GatewayPod[];
  since: string;
}): EndpointSlice[] {
  const { service, plan, gateways, since } = options;
  const { target } = plan;
  if (target === undefined) return [];
  const { name, namespace, uid } = service.metadata;
  return ipFamiliesOf(service).map((family) => ({
    metadata: {
      name: failoverSliceName(name, family),
      ...(namespace !== undefined && { namespace }),
      labels: {
        [LABELS.managedBy]: MANAGED_BY,
        [LABELS.link]: target.link,
        [LABELS.failoverFor]: name,
        [LABELS.serviceName]: name,
        [LABELS.endpointSliceManagedBy]: ENDPOINT_SLICE_MANAGED_BY,
      },
      annotations: {
        [ANNOTATIONS.source]: formatSource(target.source),
        [ANNOTATIONS.state]: plan.state,
        [ANNOTATIONS.stateReason]: plan.reason,
        [ANNOTATIONS.stateSince]: since,
      },
      ...(uid !== undefined && {
        ownerReferences: [
          {
            apiVersion: apiVersionOf(RESOURCES.services),
            kind: RESOURCES.services.kind,
            name,
            uid,
          },
        ],
      }),
    },
    addressType: family,
    endpoints: gateways.flatMap((pod, index) => {
      const conditions = index < plan.readyEndpoints ? READY : REST[plan.restForm];
      const address = pod.addresses[family];
      if (address === undefined || conditions === undefined) return [];
      const { name: podName, namespace: podNamespace, uid: podUid } = pod;
      const targetRef = { kind: "Pod", namespace: podNamespace, name: podName, uid: podUid };
      return [{ addresses: [address], conditions, targetRef }];
    }),
    ports: [...target.ports],
  }));
}
