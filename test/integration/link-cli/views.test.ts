import { beforeAll, describe, expect, test } from "vitest";
import { INSTALL_NAMESPACE } from "../../../api/names.ts";
import type { KubeObject } from "../../../api/objects.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { ClusterAccess } from "../../../cmd/link/cluster-access.ts";
import { readGateways } from "../../../cmd/link/gateways/gateways.ts";
import { readServices } from "../../../cmd/link/services/services.ts";
import { readStatus } from "../../../cmd/link/status/status.ts";
import { createKubeClient } from "../../../kube/client/client.ts";
import { closedAtEnd, configFor } from "../fixtures.ts";
import { failureOf, inSystem } from "./join-bed.ts";
import { useViewsStage } from "./views-stage.ts";
import { NORTH, putLinkAndPeer, putPods, putServices, SHOP, TOKEN_EXPIRES } from "./views-world.ts";

const stage = useViewsStage();
const { signal } = new AbortController();

beforeAll(async () => {
  await stage.put(RESOURCES.namespaces, { metadata: { name: SHOP } });
  await putLinkAndPeer(stage);
  await putServices(stage);
  await putPods(stage);
});

/** Access of a user who may list Links and Services, and nothing else. */
async function accessOfViewer(): Promise<ClusterAccess> {
  const { access } = stage;
  await stage.put(RESOURCES.serviceAccounts, { metadata: inSystem("views-viewer") });
  const rules = [
    { apiGroups: ["isthmus.dev"], resources: ["links"], verbs: ["list"] },
    { apiGroups: [""], resources: ["services"], verbs: ["list"] },
  ];
  const role: KubeObject & { rules: object } = { metadata: { name: "views-viewer" }, rules };
  await stage.put(RESOURCES.clusterRoles, role);
  const binding: KubeObject & { roleRef: object; subjects: object[] } = {
    metadata: { name: "views-viewer" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "views-viewer" },
    subjects: [{ kind: "ServiceAccount", ...inSystem("views-viewer") }],
  };
  await stage.put(RESOURCES.clusterRoleBindings, binding);
  const { status } = await access.client.request<{ status: { token: string } }>({
    method: "POST",
    path: `/api/v1/namespaces/${INSTALL_NAMESPACE}/serviceaccounts/views-viewer/token`,
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
  });
  const { server, caPem = "" } = access;
  const config = configFor({ server, caPem }, { token: status.token });
  return { ...access, client: closedAtEnd(createKubeClient(config)) };
}

describe("link status", () => {
  test("reports links with latency and expiries, mirrors, what is skipped now, and peers", async () => {
    const all = await readStatus({ access: stage.access, signal });
    // Mirrors of tests before may still be there, in namespaces that are being deleted.
    const mirrors = all.mirrors.filter(({ mirror }) => mirror.startsWith(`${SHOP}/`));
    expect({ ...all, mirrors }).toMatchObject({
      cluster: "east",
      links: [
        {
          name: "north",
          ready: "False",
          reason: "NotReady",
          open: 1,
          closed: 1,
          skipped: 1,
          gateway: ["10.0.0.9:15008", "[fd00::9]:15008"],
          latencyMs: 3.75,
          addresses: [
            { address: NORTH, up: true, latencyMs: 3.75 },
            { address: "[fd00::9]:15008", up: false },
          ],
          tokenExpiresAt: TOKEN_EXPIRES,
          trustExpiresAt: expect.stringMatching(/^203\d-/),
        },
      ],
      mirrors: [
        { source: `north/${SHOP}/db`, mirror: `${SHOP}/db-north`, state: "closed" },
        { source: `north/${SHOP}/mail`, mirror: `${SHOP}/mail-north`, state: "open" },
      ],
      skipped: [{ link: "north", source: `north/${SHOP}/big`, reason: "NameInvalid" }],
      peers: [{ name: "west" }],
      certificates: [{ name: "leaf", expiresAt: TOKEN_EXPIRES }],
      notRead: [],
    });
  });

  test("prints every condition with its age, and no control characters of a provider", async () => {
    const { code, stdout } = await stage.link("status", "north");
    expect(code).toBe(0);
    expect(stdout).toMatch(/north +GatewayHealthy +False +\d+d +GatewayUnreachable +10\.0\.0\.9 /);
    expect(stdout).toMatch(/north +ApiReachable +True +\d+d +Synced/);
    expect(stdout).not.toContain("\u001B");
    expect(stdout).toMatch(
      new RegExp(`north/${SHOP}/db +${SHOP}/db-north +closed +LinkNotReady: Link north is not`),
    );
    expect(stdout).toMatch(/NOTREADY|NotReady +1 +1 +1 +3\.8ms +\d+d +\d+d/);
  });

  test("says what it could not read, and why", async () => {
    const report = await readStatus({ access: await accessOfViewer(), signal });
    expect(report.links).toMatchObject([{ name: "north", open: 1 }]);
    expect(report.notRead.map(({ what }) => what)).toEqual([
      "Events, which say what is skipped",
      "Peers",
      "configuration of the installation",
      "pods of isthmus-controller",
    ]);
    expect(report.notRead[1]?.why).toContain('cannot list resource "peers"');
  });

  test("names the Link that was meant, and waits for no other", async () => {
    const failure = await failureOf(readStatus({ access: stage.access, linkName: "nort", signal }));
    expect(failure.message).toBe("context east: Link nort does not exist");
    expect(failure.fix).toBe("did you mean north?");
    expect((await stage.link("status", "nort", "--wait")).code).toBe(1);
  });

  test("with --wait ends with 3 and the condition that holds a Link up", async () => {
    const { code, stdout, stderr } = await stage.link("status", "--wait", "--timeout", "0s");
    expect(code).toBe(3);
    expect(stdout).toBe("");
    expect(stderr).toContain("GatewayHealthy is False: GatewayUnreachable");
  });
});

describe("link services", () => {
  test("reports what is exported to whom, and what there is of others", async () => {
    const report = await readServices({ access: stage.access, namespace: SHOP, signal });
    const http = { name: "http", port: 80 };
    expect(report).toMatchObject({
      cluster: "east",
      exports: [
        { name: "api", toAll: false, consumers: ["west"], notJoined: ["south"] },
        { name: "raw", state: "refused", reason: "HeadlessUnsupported" },
        { name: "web", state: "exported", toAll: true, consumers: ["west"], ports: [http] },
      ],
      imports: [
        { name: "db-north", link: "north", state: "closed", reason: "LinkNotReady" },
        { name: "mail-north", source: `north/${SHOP}/mail`, state: "open", ports: [http] },
      ],
      skipped: [{ source: `north/${SHOP}/big` }],
      notRead: [],
    });
    expect(report.exports.map(({ readyEndpoints }) => readyEndpoints)).toEqual([0, 0, 1]);
  });

  test("prints both directions, of one namespace or of all", async () => {
    const { stdout } = await stage.link("services");
    expect(stdout).toMatch(new RegExp(`${SHOP} +api +http:80 +exported +west, south \\(not join`));
    expect(stdout).toMatch(new RegExp(`${SHOP} +web +http:80 +exported +all \\(west\\) +1 ready`));
    expect(stdout).toMatch(/raw +- +refused +- +none ready +HeadlessUnsupported: .*headless/);
    expect(stdout).toMatch(new RegExp(`db-north +http:80 +closed +north +north/${SHOP}/db`));
    const { stdout: none } = await stage.link("services", "-n", INSTALL_NAMESPACE);
    expect(none).toContain(`Exports nothing in namespace ${INSTALL_NAMESPACE}`);
    expect(none).not.toContain(SHOP);
  });

  test.each(["services", "failover"])(
    "link %s names the namespace that was meant",
    async (view) => {
      const { code, stderr } = await stage.link(view, "-n", "views-shp");
      expect(code).toBe(1);
      expect(stderr).toContain("context east: there is no namespace views-shp");
      expect(stderr).toContain("fix: did you mean views-shop?");
    },
  );

  test("says what it could not read, and why", async () => {
    const report = await readServices({ access: await accessOfViewer(), namespace: SHOP, signal });
    expect(report.exports.map(({ name }) => name)).toEqual(["api", "raw", "web"]);
    expect(report.exports[2]?.readyEndpoints).toBeUndefined();
    expect(report.notRead.map(({ what }) => what)).toContain("EndpointSlices of what is exported");
  });
});

describe("link gateways", () => {
  test("reports each address and consumer by gateway pod, and the pod that cannot be asked", async () => {
    const report = await readGateways({ access: stage.access, signal });
    expect(report).toMatchObject({
      cluster: "east",
      addresses: [
        {
          link: "north",
          address: NORTH,
          pod: "views-gateway-0",
          state: "up",
          sessions: 2,
          rttMs: 0.75,
          streams: 3,
          sentBytes: 2048,
          receivedBytes: 3_000_000,
        },
        { address: "[fd00::9]:15008", state: "down", sessions: 0 },
      ],
      consumers: [{ consumer: "west", sessions: 4, streams: 7, sentBytes: 0, receivedBytes: 10 }],
      gateways: [
        { pod: "views-gateway-0", ready: true, certificateExpiresAt: TOKEN_EXPIRES },
        { pod: "views-gateway-1", ready: false },
      ],
      notRead: [{ what: "metrics of pod views-gateway-1", why: "the pod is Pending" }],
    });
  });

  test("prints them as tables, json and yaml", async () => {
    const { stdout } = await stage.link("gateways");
    expect(stdout).toMatch(/north +10\.0\.0\.9:15008 +views-gateway-0 +up +2 +0\.75ms/);
    expect(stdout).toMatch(/ 3 +2\.0KiB +2\.9MiB/);
    expect(stdout).toContain("metrics of pod views-gateway-1: the pod is Pending");
    const { stdout: json } = await stage.link("gateways", "north", "-o", "json");
    expect(JSON.parse(json)).toMatchObject({ addresses: [{ link: "north" }, {}], consumers: [] });
    const { stdout: yaml } = await stage.link("gateways", "-o", "yaml");
    expect(yaml).toMatch(/^cluster: east\naddresses:\n {2}- link: north\n/);
  });
});

describe("completion", () => {
  test.each([
    [["status", "no"], "north\n:4\n"],
    [["unexport", "-n", SHOP, "svc/w"], "svc/web\n:4\n"],
    [["services", "--namespace=views-s"], `--namespace=${SHOP}\n:4\n`],
    [["token", "revoke", "we"], "west\n:4\n"],
  ])("asks the cluster for the names of %j", async (words, answer) => {
    expect((await stage.link("__complete", ...words)).stdout).toBe(answer);
  });
});
