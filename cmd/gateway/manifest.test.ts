import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

const MANIFEST = new URL("../../manifests/base/gateway.yaml", import.meta.url);

/** What a pod template says that bears on what the process may do. */
interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  shareProcessNamespace?: boolean;
  volumes?: object[];
  initContainers?: object[];
  securityContext?: object;
  containers: {
    image: string;
    ports?: { containerPort: number; hostPort?: number }[];
    env?: { name: string; valueFrom?: object }[];
    envFrom?: object[];
    volumeMounts?: object[];
    securityContext?: object;
  }[];
}

async function podSpec(): Promise<PodSpec> {
  const documents = parseAllDocuments(await readFile(MANIFEST, "utf8"));
  const objects = documents.map(
    (document): { kind: string; spec: { template: { spec: PodSpec } } } => document.toJS(),
  );
  const deployment = objects.find(({ kind }) => kind === "Deployment");
  if (deployment === undefined) throw new Error("no Deployment");
  return deployment.spec.template.spec;
}

test("the gateway runs as nobody, on a root it cannot write, without capabilities or system calls it does not need", async () => {
  const spec = await podSpec();
  expect(spec.securityContext).toEqual({
    runAsNonRoot: true,
    runAsUser: 65_532,
    runAsGroup: 65_532,
    seccompProfile: { type: "RuntimeDefault" },
  });
  expect(spec.containers).toHaveLength(1);
  expect(spec.initContainers).toBeUndefined();
  for (const { securityContext } of spec.containers) {
    expect(securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  }
});

test("the gateway shares nothing with its node, and listens above port 1024 only", async () => {
  const spec = await podSpec();
  for (const shared of ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] as const) {
    expect(spec[shared] ?? false).toBe(false);
  }
  const ports = spec.containers.flatMap((container) => container.ports ?? []);
  expect(ports.length).toBeGreaterThan(0);
  for (const { containerPort, hostPort } of ports) {
    expect(containerPort).toBeGreaterThan(1024);
    expect(hostPort).toBeUndefined();
  }
});

test("the gateway is given its ServiceAccount's token, and no other Secret or volume", async () => {
  const spec = await podSpec();
  expect(spec.serviceAccountName).toBe("isthmus-gateway");
  expect(spec.volumes ?? []).toEqual([]);
  for (const { env = [], envFrom, volumeMounts } of spec.containers) {
    expect(envFrom).toBeUndefined();
    expect(volumeMounts ?? []).toEqual([]);
    expect(env.filter(({ valueFrom = {} }) => "secretKeyRef" in valueFrom)).toEqual([]);
  }
});
