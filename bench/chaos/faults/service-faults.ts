import { ANNOTATIONS, LABELS } from "../../../api/names.ts";
import type { EndpointSlice, Service } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import type { PlannedFault } from "../plan.ts";
import {
  alreadyOver,
  type BeginFault,
  type FaultContext,
  mirrorOf,
  providerOf,
} from "./fault-context.ts";

/** Whoever edits by hand. */
const HAND = { type: "merge", fieldManager: "kubectl-edit" } as const;
/** Nothing listens there. */
const WRONG_PORT = 9;
const NAME_TRIES = 50;

/** The Service is exported no more, and then again. */
export const unexported: BeginFault = async (context, fault) => {
  const { client } = providerOf(context, fault);
  const key = { namespace: context.namespace, name: fault.service ?? "" };
  const set = async (value: string) => {
    const annotations = { [ANNOTATIONS.export]: value };
    await client.patch(RESOURCES.services, key, { metadata: { annotations } }, { type: "merge" });
  };
  await set("false");
  return () => set("true");
};

/** The Service's pods go, and come again. */
export const scaledToZero: BeginFault = async (context, fault) => {
  const { client } = providerOf(context, fault);
  const key = { namespace: context.namespace, name: fault.service ?? "" };
  const scale = async (replicas: number) => {
    await client.patch(RESOURCES.deployments, key, { spec: { replicas } }, { type: "merge" });
  };
  await scale(0);
  return () => scale(1);
};

/** Somebody changes one of the mirror's objects. */
export const handEdited: BeginFault = async (context, fault) => {
  const edits = [wrongPort, saysClosed, emptySlice, noSlice];
  await edits[Math.floor(fault.choice * edits.length)]?.(context, fault);
  return alreadyOver;
};

/** Somebody deletes the mirror. */
export const mirrorDeleted: BeginFault = async (context, fault) => {
  await context.consumer.client.remove(RESOURCES.services, mirrorKey(context, fault));
  return alreadyOver;
};

/** Somebody deletes the mirror and is faster than Isthmus to make a Service of that name. It stays theirs. */
export const nameTaken: BeginFault = async (context, fault) => {
  const { client } = context.consumer;
  const key = mirrorKey(context, fault);
  const stranger = await takeName(context, fault);
  if (stranger === undefined) return alreadyOver;
  const { uid, resourceVersion } = stranger.metadata;
  return async () => {
    const now = await client.find<Service>(RESOURCES.services, key);
    if (now?.metadata.uid !== uid || now?.metadata.resourceVersion !== resourceVersion) {
      context.report(`Service ${key.namespace}/${key.name} of somebody else was changed`);
    }
    await client.remove(RESOURCES.services, key, uid === undefined ? {} : { uid });
  };
};

/** @returns undefined when Isthmus was faster each time. */
async function takeName(context: FaultContext, fault: PlannedFault): Promise<Service | undefined> {
  const { client } = context.consumer;
  const key = mirrorKey(context, fault);
  for (let tries = 0; tries < NAME_TRIES; tries += 1) {
    await client.remove(RESOURCES.services, key);
    try {
      return await client.create<Service>(RESOURCES.services, {
        metadata: key,
        spec: { ports: [{ port: 80 }] },
      });
    } catch (error) {
      if (!isApiError(error, 409)) throw error;
    }
  }
  return undefined;
}

async function wrongPort(context: FaultContext, fault: PlannedFault): Promise<void> {
  const patch = [{ op: "replace", path: "/spec/ports/0/targetPort", value: WRONG_PORT }];
  const key = mirrorKey(context, fault);
  await context.consumer.client.patch(RESOURCES.services, key, patch, { ...HAND, type: "json" });
}

async function saysClosed(context: FaultContext, fault: PlannedFault): Promise<void> {
  const body = { metadata: { annotations: { [ANNOTATIONS.state]: "closed" } } };
  await context.consumer.client.patch(RESOURCES.services, mirrorKey(context, fault), body, HAND);
}

async function emptySlice(context: FaultContext, fault: PlannedFault): Promise<void> {
  for (const key of await sliceKeys(context, fault)) {
    await context.consumer.client.patch(RESOURCES.endpointSlices, key, { endpoints: [] }, HAND);
  }
}

async function noSlice(context: FaultContext, fault: PlannedFault): Promise<void> {
  for (const key of await sliceKeys(context, fault)) {
    await context.consumer.client.remove(RESOURCES.endpointSlices, key);
  }
}

async function sliceKeys(context: FaultContext, fault: PlannedFault) {
  const { namespace } = context;
  const labelSelector = `${LABELS.serviceName}=${mirrorOf(fault)}`;
  const { items } = await context.consumer.client.list<EndpointSlice>(RESOURCES.endpointSlices, {
    namespace,
    labelSelector,
  });
  return items.map(({ metadata }) => ({ namespace, name: metadata.name }));
}

function mirrorKey({ namespace }: FaultContext, fault: PlannedFault) {
  return { namespace, name: mirrorOf(fault) };
}
