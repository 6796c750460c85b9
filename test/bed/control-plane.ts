import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BinaryPaths } from "../setup/binaries.ts";
import {
  type AddressPlan,
  clusterPodRanges,
  kubernetesServiceAddress,
  rangesText,
  serviceRanges,
} from "./address-plan.ts";
import type { ApiAccess } from "./api.ts";
import type { ClusterSpec } from "./bed.ts";
import { type ClusterAuthority, createAuthority, createTokenKeys } from "./certificates.ts";
import { kubeconfigText } from "./kubeconfig.ts";
import { fabricNetns } from "./network.ts";
import type { ProcessSpec } from "./processes.ts";

/** Where one cluster keeps its things and how it is reached. */
export interface ClusterPlan {
  readonly spec: ClusterSpec;
  readonly index: number;
  readonly slot: number;
  readonly addresses: AddressPlan;
  /** Certificates, keys and kubeconfigs. */
  readonly folder: string;
  readonly logsFolder: string;
  readonly server: string;
}

/** Credentials made for a cluster. */
export interface ClusterCredentials {
  readonly authority: ClusterAuthority;
  readonly admin: ApiAccess;
}

const securePort = 6443;
const etcdClientUrl = "http://127.0.0.1:2379";

/** Plans the cluster of that number in the bed. */
export function planCluster(
  spec: ClusterSpec,
  index: number,
  slot: number,
  addresses: AddressPlan,
  bedFolder: string,
  bedLogs: string,
): ClusterPlan {
  return {
    spec,
    index,
    slot,
    addresses,
    folder: join(bedFolder, "clusters", spec.name),
    logsFolder: join(bedLogs, spec.name),
    server: `https://${addresses.apiServer(index)}:${securePort}`,
  };
}

/** Path of a cluster's administrator kubeconfig. */
export function adminKubeconfigPath(plan: ClusterPlan): string {
  return join(plan.folder, "admin.kubeconfig");
}

/** Path of a cluster's audit log; undefined when it keeps none. */
export function auditLogPath(plan: ClusterPlan): string | undefined {
  return plan.spec.audit ? join(plan.logsFolder, "audit.jsonl") : undefined;
}

/** Makes the cluster's authority and the credentials of its control plane, and writes them to its folder. */
export async function writeCredentials(plan: ClusterPlan): Promise<ClusterCredentials> {
  mkdirSync(plan.folder, { recursive: true });
  mkdirSync(plan.logsFolder, { recursive: true });
  const write = (name: string, text: string) =>
    writeFileSync(join(plan.folder, name), text, { mode: 0o600 });
  const authority = await createAuthority(`${plan.spec.name}-ca`);
  const { certPem: caPem } = authority;
  const server = {
    commonName: "kube-apiserver",
    ips: [plan.addresses.apiServer(plan.index), kubernetesServiceAddress(plan.index), "127.0.0.1"],
    dnsNames: ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
  };
  const [tokens, serving, kubelet, admin, controllerManager, scheduler] = await Promise.all([
    createTokenKeys(),
    authority.issue(server),
    authority.issue({ commonName: "kube-apiserver-kubelet-client" }),
    authority.issue({ commonName: "admin", organization: "system:masters" }),
    authority.issue({ commonName: "system:kube-controller-manager" }),
    authority.issue({ commonName: "system:kube-scheduler" }),
  ]);
  write("ca.crt", caPem);
  write("ca.key", authority.keyPem);
  write("service-account.pub", tokens.certPem);
  write("service-account.key", tokens.keyPem);
  write("server.crt", serving.certPem);
  write("server.key", serving.keyPem);
  write("kubelet-client.crt", kubelet.certPem);
  write("kubelet-client.key", kubelet.keyPem);
  write(
    "audit-policy.yaml",
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n",
  );
  const entry = (pair: { certPem: string; keyPem: string }) => ({
    server: plan.server,
    caPem,
    ...pair,
  });
  const kubeconfig = (name: string, pair: { certPem: string; keyPem: string }) =>
    write(`${name}.kubeconfig`, kubeconfigText([{ name: plan.spec.name, ...entry(pair) }]));
  kubeconfig("admin", admin);
  kubeconfig("controller-manager", controllerManager);
  kubeconfig("scheduler", scheduler);
  return { authority, admin: entry(admin) };
}

/** The etcd that serves all clusters of a bed, each under its own prefix. */
export function etcdProcess(
  slot: number,
  bedFolder: string,
  bedLogs: string,
  binaries: BinaryPaths,
): ProcessSpec {
  return {
    label: "etcd",
    netns: fabricNetns(slot),
    logPath: join(bedLogs, "etcd.log"),
    argv: [
      binaries.etcd,
      `--data-dir=${join(bedFolder, "etcd")}`,
      `--listen-client-urls=${etcdClientUrl}`,
      `--advertise-client-urls=${etcdClientUrl}`,
      "--listen-peer-urls=http://127.0.0.1:2380",
      // What it holds dies with the bed.
      "--unsafe-no-fsync",
      "--log-level=warn",
    ],
  };
}

/** A cluster's API server. */
export function apiServerProcess(plan: ClusterPlan, binaries: BinaryPaths): ProcessSpec {
  const address = plan.addresses.apiServer(plan.index);
  const file = (name: string) => join(plan.folder, name);
  const auditLog = auditLogPath(plan);
  return {
    label: `${plan.spec.name}/kube-apiserver`,
    netns: fabricNetns(plan.slot),
    logPath: join(plan.logsFolder, "kube-apiserver.log"),
    argv: [
      binaries.kubeApiserver,
      `--etcd-servers=${etcdClientUrl}`,
      `--etcd-prefix=/${plan.spec.name}`,
      `--bind-address=${address}`,
      `--advertise-address=${address}`,
      `--secure-port=${securePort}`,
      `--service-cluster-ip-range=${rangesText(serviceRanges(plan.index), plan.spec.dualStack === true)}`,
      `--cert-dir=${plan.folder}`,
      `--tls-cert-file=${file("server.crt")}`,
      `--tls-private-key-file=${file("server.key")}`,
      `--client-ca-file=${file("ca.crt")}`,
      `--service-account-key-file=${file("service-account.pub")}`,
      `--service-account-signing-key-file=${file("service-account.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      "--authorization-mode=Node,RBAC",
      `--kubelet-client-certificate=${file("kubelet-client.crt")}`,
      `--kubelet-client-key=${file("kubelet-client.key")}`,
      "--kubelet-preferred-address-types=InternalIP",
      // The bed writes the endpoints of the Service "kubernetes" itself.
      "--endpoint-reconciler-type=none",
      "--allow-privileged=true",
      "--shutdown-delay-duration=0s",
      ...(auditLog
        ? [`--audit-log-path=${auditLog}`, `--audit-policy-file=${file("audit-policy.yaml")}`]
        : []),
    ],
  };
}

/** A cluster's controller manager and scheduler. */
export function controllerProcesses(plan: ClusterPlan, binaries: BinaryPaths): ProcessSpec[] {
  const file = (name: string) => join(plan.folder, name);
  // All clusters of a bed share the fabric's loopback interface.
  const port = (base: number) => `--secure-port=${base + plan.index}`;
  const component = (name: string, argv: string[]): ProcessSpec => ({
    label: `${plan.spec.name}/${name}`,
    netns: fabricNetns(plan.slot),
    logPath: join(plan.logsFolder, `${name}.log`),
    argv,
  });
  return [
    component("kube-controller-manager", [
      binaries.kubeControllerManager,
      `--kubeconfig=${file("controller-manager.kubeconfig")}`,
      `--service-account-private-key-file=${file("service-account.key")}`,
      `--root-ca-file=${file("ca.crt")}`,
      `--cluster-signing-cert-file=${file("ca.crt")}`,
      `--cluster-signing-key-file=${file("ca.key")}`,
      `--cluster-cidr=${rangesText(clusterPodRanges(plan.index), plan.spec.dualStack === true)}`,
      "--use-service-account-credentials",
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      port(10_400),
    ]),
    component("kube-scheduler", [
      binaries.kubeScheduler,
      `--kubeconfig=${file("scheduler.kubeconfig")}`,
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      port(10_500),
    ]),
  ];
}
