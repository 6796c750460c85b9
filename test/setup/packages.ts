import { spawnSync } from "node:child_process";

/** The Debian packages of the test bed, with what each is for. */
const neededPackages = new Map([
  ["iproute2", "network namespaces and cables"],
  ["nftables", "kube-proxy in mode nftables"],
  ["iptables", "kube-proxy in mode iptables, and masquerading by the CNI plugins"],
  ["conntrack", "kube-proxy's cleaning of stale connections"],
  ["kmod", "loading kernel modules"],
  ["procps", "sysctl"],
  ["openssl", "looking at certificates in tests"],
  ["containerd", "container runtime of the nodes"],
  ["runc", "container runtime of the nodes"],
  ["containernetworking-plugins", "network of the pods"],
  ["util-linux", "nsenter and setpriv"],
  ["curl", "HTTP and SMTP client of the protocol tests, and a consumer's HTTP/2 client"],
  ["netcat-openbsd", "half-close in the protocol tests (nc -N)"],
  ["nghttp2-client", "HTTP/2 client and load generator of the protocol tests"],
  ["nghttp2-proxy", "nghttpx, a gateway not ours at either end of the wire"],
  ["nghttp2-server", "HTTP/2 server of the protocol tests"],
  ["postgresql-15", "PostgreSQL server and pgbench of the protocol tests"],
  ["postgresql-client-15", "psql of the protocol tests"],
  ["prometheus", "Prometheus, which scrapes the bed and has its alerts tested, and promtool"],
  ["python3", "SMTP and HTTP servers of the protocol tests"],
  ["python3-grpcio", "gRPC client and server of the protocol tests"],
  ["python3-websockets", "WebSocket server of the protocol tests"],
  ["redis-server", "Redis server of the protocol tests"],
  ["redis-tools", "redis-cli of the protocol tests"],
  ["shellcheck", "checks of the shell scripts"],
  ["zsh", "completion of link in that shell"],
  ["fish", "completion of link in that shell"],
  ["socat", "a server that answers after the end of the question"],
]);

const benchPackages = new Map([
  ["wrk", "load generator of the benches"],
  ["haproxy", "what the gateway's bench compares with"],
  ["iperf3", "bulk throughput of the gateway's bench"],
]);

/** Thrown when set-up needs something only a person can provide; the message says what. */
export class UnsupportedError extends Error {
  override name = "UnsupportedError";
}

/** The names of those packages that dpkg does not list as installed, given its output of one "name status" a line. */
export function missingPackages(dpkgOutput: string, needed: Iterable<string>): string[] {
  const installed = new Set(
    dpkgOutput
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, status]) => status === "installed")
      .map(([name]) => name),
  );
  return [...needed].filter((name) => !installed.has(name));
}

function apt(args: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const { status } = spawnSync("apt-get", ["-qq", ...args], { stdio: "inherit", env });
  if (status !== 0) throw new UnsupportedError(`apt-get ${args.join(" ")} failed; see above`);
}

/**
 * Installs the Debian packages that are missing, naming them first.
 * @throws UnsupportedError if there are some and this is not root, or apt-get fails.
 */
export function installPackages({ forBench }: { forBench: boolean }): void {
  const needed = forBench ? new Map([...neededPackages, ...benchPackages]) : neededPackages;
  const format = "${Package} ${db:Status-Status}\\n";
  // dpkg-query fails when it does not know one of the names, and lists the others all the same.
  const query = spawnSync("dpkg-query", ["--show", `--showformat=${format}`, ...needed.keys()], {
    encoding: "utf8",
  });
  const missing = missingPackages(query.stdout, needed.keys());
  if (missing.length === 0) return;
  const list = missing.map((name) => `  - ${name} (${needed.get(name) ?? ""})`).join("\n");
  if (process.getuid?.() !== 0) {
    throw new UnsupportedError(
      `Debian packages are missing:\n${list}\nInstall them: apt-get install ${missing.join(" ")}`,
    );
  }
  console.log(`set-up: installing Debian packages:\n${list}`);
  apt(["update"]);
  apt(["install", "--yes", "--no-install-recommends", ...missing]);
}
