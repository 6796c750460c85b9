import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../cmd/build/cache-folder.ts";

/** Where every binary that the test bed starts, and the tests run, is found. */
export interface BinaryPaths {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubeControllerManager: string;
  readonly kubeScheduler: string;
  readonly kubelet: string;
  readonly kubeProxy: string;
  readonly kubectl: string;
  readonly helm: string;
  readonly coredns: string;
  readonly pause: string;
}

/** One binary that set-up builds from a Go module of this repository. */
export interface BinaryTarget {
  /** Name shown while building. */
  readonly name: string;
  /** Folder with the go.mod that pins it. */
  readonly moduleFolder: string;
  /** Go package to build. */
  readonly goPackage: string;
  /** Absolute path of the finished binary. */
  readonly output: string;
  /** Linker flags. */
  readonly ldflags: string;
  /** Build without cgo: the binary runs where there is no C library. */
  readonly isStatic: boolean;
}

const setupFolder = import.meta.dirname;

/**
 * Reads the version of a required module from the text of a go.mod.
 * @throws Error if the module is not required there.
 */
export function requiredVersion(goMod: string, module: string): string {
  for (const line of goMod.split("\n")) {
    const words = line
      .trim()
      .replace(/^require\s+/, "")
      .split(/\s+/);
    if (words[0] === module && words[1]?.startsWith("v")) return words[1];
  }
  throw new Error(`go.mod does not require ${module}`);
}

function stamp(key: string, value: string): string {
  return `-X k8s.io/component-base/version.${key}=${value}`;
}

function versionIn(folder: string, module: string): string {
  return requiredVersion(readFileSync(join(setupFolder, folder, "go.mod"), "utf8"), module);
}

/** The Kubernetes version of the bed, from test/setup/kube/go.mod, for example `v1.35.4`. */
export function kubernetesVersion(): string {
  return versionIn("kube", "k8s.io/kubernetes");
}

/** Every binary of the bed in the order in which set-up builds them: what takes longest and is shared comes first. */
export function binaryTargets(): BinaryTarget[] {
  const version = kubernetesVersion();
  const [major = "", minor = ""] = version.slice(1).split(".");
  const folder = join(cacheFolder("bin"), version);
  const kubeFlags = `-s -w ${stamp("gitVersion", version)} ${stamp("gitMajor", major)} ${stamp("gitMinor", minor)}`;
  const kube = (name: string, goPackage = `k8s.io/kubernetes/cmd/${name}`): BinaryTarget => ({
    name,
    moduleFolder: join(setupFolder, "kube"),
    goPackage,
    output: join(folder, name),
    ldflags: kubeFlags,
    isStatic: false,
  });
  const coredns = versionIn("coredns", "github.com/coredns/coredns").slice(1);
  const helm = versionIn("helm", "helm.sh/helm/v4");
  return [
    kube("kube-apiserver"),
    kube("kube-controller-manager"),
    kube("kube-scheduler"),
    kube("kubelet"),
    kube("kube-proxy"),
    kube("kubectl"),
    kube("etcd", "go.etcd.io/etcd/server/v3"),
    {
      name: "coredns",
      moduleFolder: join(setupFolder, "coredns"),
      goPackage: "github.com/coredns/coredns",
      output: join(folder, `coredns-${coredns}`),
      ldflags: "-s -w",
      isStatic: false,
    },
    {
      name: "helm",
      moduleFolder: join(setupFolder, "helm"),
      goPackage: "helm.sh/helm/v4/cmd/helm",
      output: join(folder, `helm-${helm.slice(1)}`),
      ldflags: `-s -w -X helm.sh/helm/v4/internal/version.version=${helm}`,
      isStatic: false,
    },
    {
      name: "pause",
      moduleFolder: join(setupFolder, "pause"),
      goPackage: ".",
      output: join(folder, "pause"),
      ldflags: "-s -w",
      isStatic: true,
    },
  ];
}

/** The paths of the bed's binaries; they exist once set-up has run. */
export function binaryPaths(): BinaryPaths {
  const output = new Map(binaryTargets().map((target) => [target.name, target.output]));
  const path = (name: string) => output.get(name) ?? "";
  return {
    etcd: path("etcd"),
    kubeApiserver: path("kube-apiserver"),
    kubeControllerManager: path("kube-controller-manager"),
    kubeScheduler: path("kube-scheduler"),
    kubelet: path("kubelet"),
    kubeProxy: path("kube-proxy"),
    kubectl: path("kubectl"),
    helm: path("helm"),
    coredns: path("coredns"),
    pause: path("pause"),
  };
}
