import { execFileSync, type StdioOptions } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BomComponent } from "./bom.ts";
import { cacheFolder } from "./cache-folder.ts";
import { type LayerFile, writeLayer } from "./image-archive.ts";
import type { LayerEntry } from "./tar.ts";

const projectFolder = join(import.meta.dirname, "..", "..");
/** The Node that goes into the image, from npm. */
export const nodeBinary = join(projectFolder, "node_modules", "node", "bin", "node");
/** User and group that the image's programs run as. */
export const userId = 65_532;

/** A folder of a layer. */
export function folderEntry(path: string, mode = 0o755): LayerEntry {
  return { type: "folder", path, mode };
}

function textEntry(path: string, content: string): LayerEntry {
  return { type: "file", path, mode: 0o644, source: "", content: Buffer.from(content) };
}

/** The paths of the shared libraries in what ldd printed, the loader among them. */
export function librariesOf(lddOutput: string): string[] {
  return lddOutput
    .split("\n")
    .map((line) => /(?:=>\s+)?(\/\S+)\s+\(0x/.exec(line)?.[1])
    .filter((path) => path !== undefined);
}

/** What node loads, also later: the resolver and the name services, which no header lists. */
function nodeLibraries(): string[] {
  const linked = librariesOf(execFileSync("ldd", [nodeBinary], { encoding: "utf8" }));
  const besideLibc = dirname(
    linked.find((path) => path.includes("/libc.so")) ?? "/lib/x86_64-linux-gnu/libc.so.6",
  );
  const late = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"].map((name) =>
    join(besideLibc, name),
  );
  return [...new Set([...linked, ...late])].filter((path) => existsSync(path)).toSorted();
}

/** A Debian package that files of the image are from. */
interface DebianPackage {
  readonly name: string;
  readonly version: string;
}

function query(...args: string[]): string[] {
  const stdio: StdioOptions = ["ignore", "pipe", "ignore"];
  return execFileSync("dpkg-query", args, { encoding: "utf8", stdio }).trim().split("\n");
}

/** The Debian packages of the libraries; none on a machine without dpkg. */
function debianPackages(libraries: readonly string[]): DebianPackage[] {
  if (!existsSync("/usr/bin/dpkg-query")) return [];
  // Where /lib is a link to /usr/lib, dpkg knows a library by one of the two names.
  const owners = libraries.map((library) => {
    for (const path of new Set([library, realpathSync(library), `/usr${library}`])) {
      try {
        return query("--search", path)[0]?.split(":")[0] ?? "";
      } catch {
        continue;
      }
    }
    return "";
  });
  const names = [...new Set(owners)].filter((name) => name !== "").toSorted();
  return names.map((name) => ({
    name,
    version: query("--show", "--showformat=${Version}\\n", name)[0] ?? "",
  }));
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [...ancestors(parent), parent];
}

/** The version of Node in the image. */
export function nodeVersion(): string {
  const file = join(projectFolder, "node_modules", "node", "package.json");
  const { version }: { version: string } = JSON.parse(readFileSync(file, "utf8"));
  return version;
}

/** The certificate authorities that Node itself trusts: Mozilla's, as of that version of Node. */
function rootCertificates(): string {
  const program = 'process.stdout.write(require("node:tls").rootCertificates.join("\\n") + "\\n")';
  return execFileSync(nodeBinary, ["--eval", program], { encoding: "utf8" });
}

function baseEntries(libraries: readonly string[]): LayerEntry[] {
  const files: LayerEntry[] = [
    ...[{ path: "/usr/local/bin/node", source: nodeBinary }]
      .concat(libraries.map((path) => ({ path, source: realpathSync(path) })))
      .map(({ path, source }): LayerEntry => ({
        type: "file",
        path: path.slice(1),
        mode: 0o755,
        source,
      })),
    ...debianPackages(libraries).map(({ name }): LayerEntry => ({
      type: "file",
      path: `usr/share/doc/${name}/copyright`,
      mode: 0o644,
      source: realpathSync(`/usr/share/doc/${name}/copyright`),
    })),
    textEntry("etc/ssl/certs/ca-certificates.crt", rootCertificates()),
    textEntry(
      "etc/passwd",
      `root:x:0:0:root:/:/sbin/nologin\nisthmus:x:${userId}:${userId}:isthmus:/app:/sbin/nologin\n`,
    ),
    textEntry("etc/group", `root:x:0:\nisthmus:x:${userId}:\n`),
    textEntry("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
  ];
  const folders = new Set(["app", ...files.flatMap(({ path }) => ancestors(path))]);
  return [...[...folders].map((path) => folderEntry(path)), folderEntry("tmp", 0o1777), ...files];
}

/** A digest of what the layer is made of, without reading Node itself: its version stands for it. */
function digestOf(entries: readonly LayerEntry[]): string {
  const hash = createHash("sha256").update(nodeVersion());
  for (const entry of entries) {
    hash.update(`\n${entry.path} ${entry.mode} `);
    if (entry.type !== "file" || entry.source === nodeBinary) continue;
    hash.update(entry.content ?? readFileSync(entry.source));
  }
  return hash.digest("hex").slice(0, 16);
}

/**
 * The layer with Node, its libraries, certificate authorities and the user, which the images of the product and of
 * test workloads share.
 * @param folder where it is written; by default a cache, in which one that is there is taken as it is
 */
export async function baseLayer(folder = cacheFolder("images")): Promise<LayerFile> {
  const entries = baseEntries(nodeLibraries());
  const path = join(folder, `base-${nodeVersion()}-${digestOf(entries)}.tar`);
  const digestPath = `${path}.sha256`;
  if (existsSync(path) && existsSync(digestPath))
    return { path, sha256: readFileSync(digestPath, "utf8") };
  const layer = await writeLayer(path, entries);
  writeFileSync(digestPath, layer.sha256);
  return layer;
}

/** What the base layer holds, for a bill of materials. */
export function baseComponents(): BomComponent[] {
  const node = { name: "node", version: nodeVersion(), purl: `pkg:generic/node@${nodeVersion()}` };
  const packages = debianPackages(nodeLibraries()).map(({ name, version }) => ({
    name,
    version,
    purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=amd64`,
  }));
  return [
    { "bom-ref": node.purl, type: "platform", ...node },
    ...packages.map((part) => ({ "bom-ref": part.purl, type: "library", ...part })),
  ];
}
