import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Bed, Cluster } from "../../bed/bed.ts";
import { openKubeconfig } from "../../bed/kubeconfig.ts";
import { poll } from "../../bed/poll.ts";
import { isAlive, type ProcessRecord, readRecords } from "../../bed/processes.ts";
import { slotFolder } from "../../bed/slot.ts";

const readyTimeoutMs = 60_000;
const callTimeoutMs = 1000;
const namespacePath = "/api/v1/namespaces/default";
/** One etcd and one cloud; of each cluster two control planes' processes and what its node runs. */
const PROCESSES_OF_TWO = 16;
const podName = "server";
const labels = { app: "web" };

const server = `require("node:http").createServer((_, response) => response.end(process.env.SAYS)).listen(8080)`;
const caller = `fetch(process.argv[1], { signal: AbortSignal.timeout(${callTimeoutMs}) })
  .then((response) => response.text())
  .then(console.log, (error) => console.log(error.cause?.code ?? error.name))
  .then(() => process.exit())`;

/** Starts a pod, which answers with its cluster's name, behind the Service `web` of type LoadBalancer. */
async function startWeb(cluster: Cluster, image: string): Promise<void> {
  const api = openKubeconfig(cluster.kubeconfigPath);
  const container = {
    name: "web",
    image,
    imagePullPolicy: "Never",
    args: ["-e", server],
    env: [{ name: "SAYS", value: cluster.name }],
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
  };
  const spec = { containers: [container], terminationGracePeriodSeconds: 0 };
  await api.create(`${namespacePath}/pods`, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: podName, labels },
    spec,
  });
  await api.create(`${namespacePath}/services`, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { type: "LoadBalancer", selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await api.close();
}

interface Addresses {
  readonly pod: string;
  readonly service: string;
  readonly loadBalancer: string;
}

interface PodObject {
  status: { podIP?: string; conditions?: { type: string; status: string }[] };
}

interface ServiceObject {
  spec: { clusterIP: string };
  status: { loadBalancer: { ingress?: { ip: string }[] } };
}

/** Waits until the pod is Ready and the Service has an address, and returns where they are. */
async function addressesOfWeb(cluster: Cluster): Promise<Addresses> {
  const api = openKubeconfig(cluster.kubeconfigPath);
  try {
    return await poll(
      `web is ready in ${cluster.name}`,
      async () => {
        const { status } = await api.request<PodObject>("GET", `${namespacePath}/pods/${podName}`);
        const service = await api.request<ServiceObject>("GET", `${namespacePath}/services/web`);
        const loadBalancer = service.status.loadBalancer.ingress?.[0]?.ip;
        const isReady = status.conditions?.some(
          (each) => each.type === "Ready" && each.status === "True",
        );
        if (!isReady || !status.podIP || !loadBalancer)
          throw new Error(JSON.stringify({ status, loadBalancer }));
        return { pod: status.podIP, service: service.spec.clusterIP, loadBalancer };
      },
      { timeoutMs: readyTimeoutMs },
    );
  } finally {
    await api.close();
  }
}

/** What the pod web of a cluster gets from a URL: the answer, or the reason why there is none. */
async function fromPod(cluster: Cluster, url: string): Promise<string> {
  const target = { namespace: "default", pod: podName };
  const { stdout, stderr } = await cluster.execInPod(target, [
    "/usr/local/bin/node",
    "-e",
    caller,
    url,
  ]);
  return stdout.trim() || stderr;
}

async function fromNode(cluster: Cluster, url: string): Promise<string> {
  const [node] = cluster.nodes;
  if (!node) throw new Error(`${cluster.name} has no node`);
  const { stdout, stderr } = await node.exec([process.execPath, "-e", caller, url]);
  return stdout.trim() || stderr;
}

function named(folder: string, part: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(part)) : [];
}

/** All that a bed may leave on the machine, by name. */
function leftOvers(slot: number): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return [
    ...named("/run/netns", `is${slot}-`),
    ...named("/sys/class/net", `is${slot}-`),
    ...readdirSync("/sys/fs/cgroup").flatMap((name) =>
      named(`/sys/fs/cgroup/${name}`, `isthmus-${slot}`),
    ),
    ...named("/var/lib/cni/results", `is${slot}-`),
    ...mounts.filter((line) => line.includes(`${slotFolder(slot)}/`)),
    ...[slotFolder(slot)].filter((path) => existsSync(path)),
  ];
}

function runningOf(records: readonly ProcessRecord[]): string[] {
  return records.filter(isAlive).map(({ label }) => label);
}

const noAnswer = /^(TimeoutError|UND_ERR_CONNECT_TIMEOUT|EHOSTUNREACH|ENETUNREACH)$/;

/** What a bed of two clusters with a node each, west and east, gives its users. @param image that has Node at /usr/local/bin/node */
export function bedTests(up: () => Bed, image: () => string): void {
  const web: Record<string, Addresses> = {};
  const of = (name: string): Addresses => {
    const found = web[name];
    if (!found) throw new Error(`web does not run in ${name}`);
    return found;
  };

  test("pods become Ready and a Service of type LoadBalancer gets an address", async () => {
    const clusters = [...up().clusters.values()];
    await Promise.all(clusters.map((cluster) => startWeb(cluster, image())));
    for (const cluster of clusters) web[cluster.name] = await addressesOfWeb(cluster);
    expect(of("west").loadBalancer).not.toBe(of("east").loadBalancer);
  });

  test.each(["west", "east"])(
    "in %s a pod reaches a Service by ClusterIP and by its name in cluster DNS",
    async (name) => {
      const cluster = up().cluster(name);
      // kube-proxy learns of an endpoint a moment after the pod is Ready.
      await poll(
        "the ClusterIP answers",
        async () => (await fromPod(cluster, `http://${of(name).service}/`)) === name,
        { timeoutMs: readyTimeoutMs },
      );
      expect(await fromPod(cluster, "http://web/")).toBe(name);
      expect(await fromPod(cluster, "http://web.default.svc.cluster.local/")).toBe(name);
      expect(await fromPod(cluster, "http://nobody.default.svc.cluster.local/")).toBe("ENOTFOUND");
    },
  );

  test("a pod reaches its API server as kubernetes.default with its own token", async () => {
    const script = `
      const { readFileSync } = require("node:fs");
      const read = (name) => readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/" + name, "utf8");
      const headers = { authorization: "Bearer " + read("token") };
      require("node:https").get("https://kubernetes.default/version", { ca: read("ca.crt"), headers }, (response) => {
        console.log(response.statusCode);
        response.resume();
      });`;
    const target = { namespace: "default", pod: podName };
    const { stdout, stderr } = await up()
      .cluster("east")
      .execInPod(target, ["/usr/local/bin/node", "-e", script]);
    expect({ stdout, stderr }).toEqual({ stdout: "200\n", stderr: "" });
  });

  test("a load balancer's address answers in the other cluster, from its node and from its pods", async () => {
    for (const [here, there] of [
      ["west", "east"],
      ["east", "west"],
    ] as const) {
      const url = `http://${of(there).loadBalancer}/`;
      expect(await fromNode(up().cluster(here), url)).toBe(there);
      expect(await fromPod(up().cluster(here), url)).toBe(there);
    }
  });

  test("pod and Service ranges are not routed between clusters", async () => {
    const tries = [
      ["west", "east"],
      ["east", "west"],
    ].flatMap(([here = "", there = ""]) =>
      [`http://${of(there).pod}:8080/`, `http://${of(there).service}/`].flatMap((url) => [
        { from: `a node of ${here}`, url, outcome: fromNode(up().cluster(here), url) },
        { from: `a pod of ${here}`, url, outcome: fromPod(up().cluster(here), url) },
      ]),
    );
    for (const { from, url, outcome } of tries)
      expect(await outcome, `${url} from ${from}`).toMatch(noAnswer);
  });

  test("a node's own address does not answer in the other cluster", async () => {
    const [node] = up().cluster("east").nodes;
    const kubelet = `https://${node?.address}:10250/`;
    // The kubelet's certificate is its own; that it is refused shows that the kubelet was reached.
    expect(await fromNode(up().cluster("east"), kubelet)).toMatch(/CERT/);
    expect(await fromNode(up().cluster("west"), kubelet)).toMatch(noAnswer);
  });

  test("a failing command in a pod gives its exit code and what it wrote to standard error", async () => {
    const script = `console.error("no luck"); process.exit(7)`;
    const target = { namespace: "default", pod: podName };
    const result = await up()
      .cluster("west")
      .execInPod(target, ["/usr/local/bin/node", "-e", script]);
    expect(result).toEqual({ stdout: "", stderr: "no luck\n", code: 7 });
  });
}

/** The last tests of a bed: nothing is up after them. */
export function bedGoesTests(up: () => Bed, hasFailed: () => boolean): void {
  test("after down nothing is left: no process, namespace, cable, mount, cgroup or folder", async ({
    skip,
  }) => {
    skip(hasFailed(), "the logs of what failed are kept, so there is something left");
    const bed = up();
    const slot = Number(bed.id.replace("local-", ""));
    const records = readRecords(slotFolder(slot));
    // Those of other tests end with the bed, too.
    const own = runningOf(records).filter((label) => !label.endsWith("/prometheus"));
    expect(own).toHaveLength(PROCESSES_OF_TWO);
    expect(leftOvers(slot)).not.toHaveLength(0);
    await bed.down();
    expect(runningOf(records)).toEqual([]);
    expect(leftOvers(slot)).toEqual([]);
    expect(existsSync(bed.logsFolder)).toBe(false);
  });

  test("a bed goes by itself when the process that owns it is killed", async () => {
    const script = `
    const { localProvider } = await import(${JSON.stringify(import.meta.resolve("../../bed/local.ts"))});
    const bed = await localProvider.up({ clusters: [{ name: "west", nodes: 1 }] });
    console.log(bed.id);
    setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [id] = await once(owner.stdout.setEncoding("utf8"), "data");
    const slot = Number(String(id).trim().replace("local-", ""));
    const records = readRecords(slotFolder(slot));
    expect(runningOf(records)).toHaveLength(9);
    owner.kill("SIGKILL");
    await poll("its processes end", () => runningOf(records).length === 0, {
      timeoutMs: readyTimeoutMs,
    });
    // Another bed may take the slot at once; then its folder no longer tells of this one.
    const isGone = () =>
      leftOvers(slot).length === 0 || readRecords(slotFolder(slot))[0]?.pid !== records[0]?.pid;
    await poll("what it made is removed", isGone, { timeoutMs: readyTimeoutMs });
  });
}
