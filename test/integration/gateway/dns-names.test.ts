import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { binaryPaths } from "../../setup/binaries.ts";
import { eventually } from "../fixtures.ts";

const SIDE = path.join(import.meta.dirname, "names-side.ts");
const NAME = "gateway.west.example";

/**
 * In a network, a mount and a process namespace of its own: CoreDNS on loopback, and the side that asks it as any
 * process of a pod asks its resolver. All of it ends with the first process.
 */
const NAMESPACE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"];
const SCRIPT = `
ip link set lo up
mount --bind "$1/resolv.conf" /etc/resolv.conf
"$2" -conf "$1/Corefile" >&2 &
exec "$3" "$4" "$5"
`;
const COREFILE = (hosts: string) => `.:53 {
  bind 127.0.0.1
  hosts ${hosts} {
    reload 100ms
  }
}
`;

/** A name that is followed in a namespace with a DNS server of its own. */
interface Followed {
  /** What the side said last. */
  last: () => unknown;
  /** From now on the name has these addresses. */
  answer: (addresses: readonly string[]) => Promise<void>;
}

async function follow(name: string): Promise<Followed> {
  const folder = await mkdtemp(path.join(tmpdir(), "isthmus-dns-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const hosts = path.join(folder, "hosts");
  const answer = async (addresses: readonly string[]) => {
    await writeFile(hosts, addresses.map((address) => `${address} ${name}\n`).join(""));
  };
  await answer([]);
  await writeFile(path.join(folder, "Corefile"), COREFILE(hosts));
  await writeFile(
    path.join(folder, "resolv.conf"),
    "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
  );
  const [command = "", ...args] = NAMESPACE;
  const inside = [folder, binaryPaths().coredns, process.execPath, SIDE, name];
  const child: ChildProcess = spawn(command, [...args, "sh", "-ec", SCRIPT, "sh", ...inside], {
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let last: unknown;
  child.on("message", (message) => {
    last = message;
  });
  return { last: () => last, answer };
}

test("a gateway's name is followed through the pod's resolver, both families, as its records change", async () => {
  const { last, answer } = await follow(NAME);
  const untilLast = async (addresses: readonly string[], failed: boolean) => {
    await eventually(() => expect(last()).toEqual({ addresses, failed }), {
      describe: `${addresses.join(", ")}, ${failed ? "failed" : "answered"}`,
    });
  };
  await untilLast([], true);
  await answer(["192.0.2.1"]);
  await untilLast(["192.0.2.1"], false);
  await answer(["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
  await untilLast(["192.0.2.1", "192.0.2.2", "2001:db8::1"], false);
  await answer(["2001:db8::1"]);
  await untilLast(["2001:db8::1"], false);
  // The name is gone, or its server knows nothing: what is known stays.
  await answer([]);
  await untilLast(["2001:db8::1"], true);
});
