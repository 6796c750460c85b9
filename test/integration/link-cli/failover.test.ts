import { describe, expect, test } from "vitest";
import { systemClock } from "../../../api/clock.ts";
import {
  ANNOTATIONS,
  CLI_FIELD_MANAGER,
  CONTROLLER_FIELD_MANAGER,
  gatewayIdentity,
  INSTALL_NAMESPACE,
  LABELS,
  MANAGED_BY,
} from "../../../api/names.ts";
import type { EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { readFailovers } from "../../../cmd/link/failover/failover.ts";
import { createProgram } from "../../../cmd/link/program.ts";
import { silentReporter } from "../../../cmd/link/reporter.ts";
import { failoverSlices } from "../../../controller/failover/plan/slices.ts";
import { createKubeClient, type KubeClient } from "../../../kube/client/client.ts";
import type { KubeEvent } from "../../../kube/events.ts";
import { createAuthority } from "../../../pki/authority.ts";
import { closedAtEnd, configFor, testNamespace } from "../fixtures.ts";
import { condition, failureOf, inSystem } from "./join-bed.ts";
import { useViewsStage } from "./views-stage.ts";

const views = useViewsStage();
const { signal } = new AbortController();

const SINCE = "2026-01-01T00:00:00Z";

/** A namespace in which a test plays both its users and the controller. */
interface Stage {
  readonly client: KubeClient;
  readonly namespace: string;
}

/** A namespace of the test's own, in a cluster with Links to west and north that are Ready. */
async function stage(): Promise<Stage> {
  const { client } = views.access;
  for (const name of ["west", "north"]) await makeLink(client, name);
  return { client, namespace: await testNamespace(client) };
}

async function makeLink(client: KubeClient, name: string): Promise<void> {
  const { certificatePem } = await createAuthority({ clusterName: name, nowMs: Date.now() });
  const spec = {
    credentialsSecretRef: { name },
    gateway: { identity: gatewayIdentity(name) },
    trustBundle: certificatePem,
  };
  const object: KubeObject & { spec: object } = { metadata: inSystem(name), spec };
  await client.apply(RESOURCES.links, object, { fieldManager: CLI_FIELD_MANAGER });
  views.removeAtEnd(RESOURCES.links, object.metadata);
  const status = {
    conditions: [condition("Ready", "True", "LinkReady", "")],
    skippedServices: 1,
  };
  const reported: KubeObject & { status: object } = { metadata: inSystem(name), status };
  await client.apply(RESOURCES.links, reported, { fieldManager: "test", subresource: "status" });
}

/** A Service with one endpoint of its own. */
async function makeService(
  { client, namespace }: Stage,
  name: string,
  annotations: Record<string, string>,
): Promise<Service> {
  const service = await client.create<Service>(RESOURCES.services, {
    metadata: { namespace, name, annotations },
    spec: { ports: [{ name: "http", port: 80 }] },
  });
  await client.create<EndpointSlice>(RESOURCES.endpointSlices, {
    metadata: { namespace, name: `${name}-own`, labels: { [LABELS.serviceName]: name } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.1.0.9"], conditions: { ready: true } }],
    ports: [],
  });
  return service;
}

async function setOwnReady({ client, namespace }: Stage, name: string, ready: boolean) {
  const endpoints = [{ addresses: ["10.1.0.9"], conditions: { ready } }];
  const key = { namespace, name: `${name}-own` };
  await client.patch(RESOURCES.endpointSlices, key, { endpoints }, { type: "merge" });
}

/** A mirror as the controller writes it, or writes it anew. */
async function putMirror(
  { client, namespace }: Stage,
  link: string,
  state: "open" | "closed",
  name = "web",
): Promise<void> {
  const reason = state === "open" ? REASONS.MirrorOpen : REASONS.NoReadyEndpoints;
  const mirror: Service = {
    metadata: {
      namespace,
      name: `${name}-${link}`,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.link]: link },
      annotations: {
        [ANNOTATIONS.source]: `${link}/${namespace}/${name}`,
        [ANNOTATIONS.state]: state,
        [ANNOTATIONS.stateReason]: reason,
      },
    },
    spec: { ports: [{ name: "http", port: 80, targetPort: 10_000, protocol: "TCP" }] },
  };
  const fieldManager = CONTROLLER_FIELD_MANAGER;
  await client.apply(RESOURCES.services, mirror, { fieldManager });
}

/** The slices by which the controller lets a target stand by. */
async function makeStandby({ client, namespace }: Stage, service: Service, cluster: string) {
  const target = {
    source: { cluster, namespace, name: service.metadata.name },
    link: cluster,
    ports: [{ name: "http", protocol: "TCP", port: 10_000 }],
    healthy: true,
    reason: REASONS.MirrorOpen,
    message: "",
    findings: [],
  };
  const gateway = { name: "gateway", namespace: INSTALL_NAMESPACE, uid: "1", nodeName: undefined };
  const slices = failoverSlices({
    service,
    plan: {
      target,
      readyEndpoints: 0,
      restForm: "standby",
      state: "standby",
      reason: REASONS.FailoverStandby,
      message: "",
      findings: [],
    },
    gateways: [{ ...gateway, addresses: { IPv4: "10.1.0.5" } }],
    since: SINCE,
  });
  const fieldManager = CONTROLLER_FIELD_MANAGER;
  for (const slice of slices) await client.apply(RESOURCES.endpointSlices, slice, { fieldManager });
}

/** What the command prints. */
async function printed(...args: string[]): Promise<string> {
  let text = "";
  const program = createProgram({
    reporter: silentReporter,
    clock: systemClock,
    signal,
    write: (more) => void (text += more),
    useColor: false,
  });
  const kubeconfig = ["--kubeconfig", views.kubeconfig];
  await program.parseAsync(["failover", ...args, ...kubeconfig], { from: "user" });
  return text;
}

async function read(namespace?: string, name?: string) {
  const { services } = await readFailovers({
    access: views.access,
    namespace,
    name,
    signal,
  });
  return services;
}

describe("link failover", () => {
  test("says how to begin where no Service asks for it", async () => {
    expect(await printed()).toContain(
      "annotate service NAME -n NAMESPACE isthmus.dev/failover=CLUSTER",
    );
    expect(await printed("-o", "json")).toBe('{\n  "services": []\n}\n');
  });

  test("tells of a failover by the objects alone, though nothing recorded it", async () => {
    const here = await stage();
    const { namespace } = here;
    await putMirror(here, "west", "open");
    await putMirror(here, "north", "closed");
    const annotations = { [ANNOTATIONS.failover]: "west,north" };
    await makeStandby(here, await makeService(here, "web", annotations), "west");
    const target = `west/${namespace}/web`;
    const standby = { name: "web", mode: "standby", state: "standby", since: SINCE, target };
    expect(await read(namespace)).toMatchObject([standby]);

    await setOwnReady(here, "web", false);
    const [active] = await read(namespace);
    expect(active).toMatchObject({
      state: "active",
      reason: "FailoverActivated",
      ownReady: false,
      targets: [
        { target, link: "west", role: "active", healthy: true, reason: "MirrorOpen" },
        { role: "-", healthy: false, reason: "NoReadyEndpoints" },
      ],
    });
    expect(active).not.toHaveProperty("since");
    expect(await printed("svc/web", "-n", namespace)).toMatch(
      new RegExp(`${target} +active +yes +http +MirrorOpen\n +north/${namespace}/web +- +no`),
    );

    await putMirror(here, "west", "closed");
    expect(await read(namespace)).toMatchObject([
      { state: "closed", reason: "NoReadyEndpoints", targets: [{ role: "standby" }, {}] },
    ]);
  });

  test("lists all namespaces or one, finds targets in others, and leaves out who does not ask", async () => {
    const [here, there] = [await stage(), await stage()];
    const elsewhere = `west/${there.namespace}/db`;
    await makeService(here, "far", { [ANNOTATIONS.failover]: elsewhere });
    await makeService(here, "silent", {});
    await makeService(there, "near", { [ANNOTATIONS.failover]: "north" });
    await putMirror(there, "west", "open", "db");
    const far = { name: "far", targets: [{ target: elsewhere, healthy: true }] };
    expect(await read(here.namespace)).toMatchObject([far]);
    const all = (await read()).filter(({ name }) => ["far", "near", "silent"].includes(name));
    expect(all.map(({ name }) => name).toSorted()).toEqual(["far", "near"]);
    expect(all.find(({ name }) => name === "far")).toMatchObject(far);
    expect(await read(undefined, "near")).toMatchObject([{ namespace: there.namespace }]);
  });

  test("says of each target why it cannot be used, and of annotations what to mend", async () => {
    const here = await stage();
    const { client, namespace } = here;
    await makeService(here, "web", { [ANNOTATIONS.failover]: "south,no*th,west,north" });
    const note = `Service ${namespace}/web of cluster west is not mirrored: all egress ports are in use.`;
    const event: KubeEvent = {
      metadata: { name: namespace, namespace: INSTALL_NAMESPACE },
      eventTime: "2026-01-01T00:00:00.000000Z",
      type: "Warning",
      reason: REASONS.PortsExhausted,
      action: "Mirror",
      note,
      reportingController: "isthmus.dev/isthmus-controller",
      reportingInstance: "test",
      regarding: { apiVersion: "isthmus.dev/v1alpha1", kind: "Link", ...inSystem("west") },
    };
    await client.create(RESOURCES.events, event);
    views.removeAtEnd(RESOURCES.events, event.metadata);
    const [web] = await read(namespace);
    expect(web).toMatchObject({ state: "unprotected" });
    expect(web?.findings.map(({ reason }) => reason)).toEqual([
      "FailoverInvalid",
      "FailoverTargetUnknown",
      "FailoverTargetMissing",
      "FailoverTargetMissing",
    ]);
    expect(web?.targets.map(({ message }) => message)).toEqual([
      expect.stringContaining("there is no Link to cluster south"),
      expect.stringContaining(note),
      expect.stringContaining("does not export it to this cluster"),
    ]);
  });

  test("names the Service that does not exist or does not ask, and how it would", async () => {
    const here = await stage();
    const { namespace } = here;
    await makeService(here, "silent", {});
    const missing = await failureOf(read(namespace, "wep"));
    expect(missing.message).toBe(`context east: Service ${namespace}/wep does not exist`);
    const silent = await failureOf(read(namespace, "silent"));
    expect(silent.message).toContain("does not ask for failover");
    expect(silent.fix).toContain(`annotate service silent -n ${namespace} isthmus.dev/failover=`);
  });

  test("names the right that is missing, and -n for those who may see one namespace", async () => {
    const { access } = views;
    await views.put<KubeObject>(RESOURCES.serviceAccounts, { metadata: inSystem("nobody") });
    const { status } = await access.client.request<{ status: { token: string } }>({
      method: "POST",
      path: `/api/v1/namespaces/${INSTALL_NAMESPACE}/serviceaccounts/nobody/token`,
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    });
    const { server, caPem = "" } = access;
    const client = closedAtEnd(
      createKubeClient(configFor({ server, caPem }, { token: status.token })),
    );
    const failure = await failureOf(readFailovers({ access: { ...access, client }, signal }));
    expect(failure.message).toContain('cannot list resource "services"');
    expect(failure.fix).toContain("with -n");
  });
});
