import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, constants, copyFile, mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeBinary } from "../../../cmd/build/base-layer.ts";
import { bomSchema } from "../../../cmd/build/bom.ts";
import { type Bundles, bundle } from "../../../cmd/build/bundle.ts";
import { buildImage, buildRootFolder, productConfig } from "../../../cmd/build/image.ts";
import { runOk } from "../../bed/command.ts";

const PROJECT_FOLDER = path.join(import.meta.dirname, "../../..");
const MAX_ABOVE_NODE_BYTES = 15_000_000;
const PROGRAMS = ["controller", "gateway", "link", "probe"] as const;

const folder = await mkdtemp(path.join(tmpdir(), "isthmus-release-"));
const inFolder = (...names: string[]) => path.join(folder, ...names);
const dists = [inFolder("first"), inFolder("second")] as const;
const REFERENCE = "localhost/isthmus:test";
const images = dists.map((dist) => path.join(dist, "isthmus-image.tar"));
const built: { bundles?: Bundles } = {};

beforeAll(async () => {
  const [here, elsewhere] = dists;
  built.bundles = await bundle(here);
  await buildImage(REFERENCE, { dist: here });
  await buildElsewhere(elsewhere);
}, 120_000);

/** Builds in another process, at another time, in another zone, and with nothing to take from a cache. */
async function buildElsewhere(dist: string): Promise<void> {
  const program = `
    const { bundle } = await import(${JSON.stringify(path.join(PROJECT_FOLDER, "cmd/build/bundle.ts"))});
    const { buildImage } = await import(${JSON.stringify(path.join(PROJECT_FOLDER, "cmd/build/image.ts"))});
    const dist = ${JSON.stringify(dist)};
    await bundle(dist);
    await buildImage("${REFERENCE}", { dist, cache: dist });`;
  const node = [process.execPath, "--input-type=module", "--eval", program];
  await runOk(["env", "TZ=Asia/Tokyo", "--chdir=/", ...node], { timeoutMs: 100_000 });
}

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function first(): Bundles & { image: string } {
  const [image] = images;
  if (built.bundles === undefined || image === undefined) throw new Error("nothing was built");
  return { ...built.bundles, image };
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

async function partOf(image: string, name: string) {
  return JSON.parse(await runOk(["tar", "--extract", "--to-stdout", "--file", image, name]));
}

const quoted = (pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([key, value]) => `${key}="${value}"`).join(" ");

async function npm(...args: string[]): Promise<string> {
  return await runOk(["npm", "--loglevel=error", ...args], { timeoutMs: 60_000 });
}

const blob = (digest: string) => `blobs/sha256/${digest.replace("sha256:", "")}`;

describe("the bundles", () => {
  test.each(PROGRAMS)("name no folder of this machine: %s", async (name) => {
    expect(await readFile(first()[name], "utf8")).not.toContain(PROJECT_FOLDER);
  });

  test("hold a CLI that runs by itself, with the manifests inside", async () => {
    const { link } = first();
    await access(link, constants.X_OK);
    const args = ["install", "-o", "yaml", "--cluster-name", "west", "--components", "ha"];
    const bundled = await runOk([process.execPath, link, ...args]);
    const source = path.join(PROJECT_FOLDER, "cmd/link/link.ts");
    expect(bundled).toBe(await runOk([process.execPath, source, ...args]));
    expect(bundled).toContain("kind: Deployment");
  });

  test("come with a bill of what npm packages they hold, and of none that are tools", async () => {
    const { components } = bomSchema.parse(JSON.parse(await readFile(first().bom, "utf8")));
    const names = components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["undici", "zod", "@peculiar/x509"]));
    expect(names.filter((name) => ["vitest", "esbuild", "typescript"].includes(name))).toEqual([]);
    expect(components.filter(({ version }) => version === "")).toEqual([]);
  });
});

describe("the image", () => {
  test("is the same to the last bit when it is built again", async () => {
    const [one, two] = await Promise.all(images.map(sha256));
    expect(one).toBe(two);
  });

  test("is an OCI layout and a docker-archive of the same layers", async () => {
    const { image } = first();
    expect(await partOf(image, "oci-layout")).toEqual({ imageLayoutVersion: "1.0.0" });
    const index = await partOf(image, "index.json");
    const manifest = await partOf(image, blob(index.manifests[0].digest));
    const [docker] = await partOf(image, "manifest.json");
    expect(docker.RepoTags).toEqual(["localhost/isthmus:test"]);
    expect(docker.Config).toBe(blob(manifest.config.digest));
    const digests: string[] = manifest.layers.map((layer: { digest: string }) => layer.digest);
    expect(docker.Layers).toEqual(digests.map(blob));
    const { config, rootfs } = await partOf(image, docker.Config);
    expect(rootfs.diff_ids).toEqual(digests);
    expect(config).toEqual(productConfig());
  });

  test("has at most 15 MB besides Node itself", async () => {
    const index = await partOf(first().image, "index.json");
    const manifest = await partOf(first().image, blob(index.manifests[0].digest));
    const sizes: number[] = manifest.layers.map((layer: { size: number }) => layer.size);
    const totalBytes = sizes.reduce((total, size) => total + size, 0);
    const { size: nodeBytes } = await stat(nodeBinary);
    expect(totalBytes - nodeBytes).toBeLessThanOrEqual(MAX_ABOVE_NODE_BYTES);
  });

  test("runs with nothing but its own files, as a user without rights", async () => {
    const root = inFolder("root");
    await buildRootFolder(root, dists[0]);
    const inside = ["chroot", "--userspec=65532:65532", root, "/usr/local/bin/node"];
    const { version }: { version: string } = JSON.parse(
      await readFile(path.join(PROJECT_FOLDER, "package.json"), "utf8"),
    );
    expect(await runOk([...inside, "/app/link.mjs", "version"])).toContain(version);
    const facts = `const fs = require("node:fs"), tls = require("node:tls");
      const roots = fs.readFileSync("/etc/ssl/certs/ca-certificates.crt", "utf8").split("BEGIN CERTIFICATE").length - 1;
      console.log(process.version, process.getuid(), roots === tls.rootCertificates.length, fs.readdirSync("/").join());`;
    expect((await runOk([...inside, "--eval", facts])).trim()).toBe(
      `${process.version} 65532 true app,etc,lib,lib64,tmp,usr`,
    );
  });

  test("names Node, Debian's libraries and npm's packages in its bill of materials", async () => {
    const text = await readFile(path.join(dists[0], "isthmus-image.cdx.json"), "utf8");
    const purls = bomSchema.parse(JSON.parse(text)).components.map(({ purl }) => purl);
    expect(purls).toContain(`pkg:generic/node@${process.version.slice(1)}`);
    expect(purls.filter((purl) => purl.startsWith("pkg:deb/debian/libc6@"))).toHaveLength(1);
    expect(purls.filter((purl) => purl.startsWith("pkg:npm/undici@"))).toHaveLength(1);
  });

  test("is run by the Dockerfile's image in the same way", async () => {
    const dockerfile = await readFile(path.join(PROJECT_FOLDER, "Dockerfile"), "utf8");
    const text = dockerfile
      .slice(dockerfile.indexOf("FROM scratch"))
      .replaceAll(/\s*\\\n\s*/g, " ");
    const { Entrypoint, User, WorkingDir, Env = [], Labels = {} } = productConfig();
    expect(text.trim().split("\n").slice(1)).toEqual([
      "COPY --from=build /image /",
      `LABEL ${quoted(Object.entries(Labels))}`,
      `ENV ${quoted(Env.map((entry) => [entry.split("=")[0] ?? "", entry.slice(entry.indexOf("=") + 1)]))}`,
      `WORKDIR ${WorkingDir}`,
      `USER ${User}`,
      `ENTRYPOINT ${JSON.stringify(Entrypoint)}`,
    ]);
  });
});

describe("the npm package", () => {
  test("runs where there is Node and nothing else, as link and as a plugin of kubectl", async () => {
    const stage = inFolder("stage");
    await mkdir(path.join(stage, "dist"), { recursive: true });
    for (const name of ["package.json", "README.md", "LICENSE"]) {
      await copyFile(path.join(PROJECT_FOLDER, name), path.join(stage, name));
    }
    const { link, bom } = first();
    for (const file of [link, bom]) {
      await copyFile(file, path.join(stage, "dist", path.basename(file)));
    }
    const empty = inFolder("empty");
    await mkdir(empty);
    const packed = await npm(
      "pack",
      stage,
      "--ignore-scripts",
      "--json",
      "--pack-destination",
      folder,
    );
    const [{ filename, files }] = JSON.parse(packed);
    expect(files.map((file: { path: string }) => file.path).toSorted()).toEqual([
      "LICENSE",
      "README.md",
      "dist/isthmus.cdx.json",
      "dist/link.mjs",
      "package.json",
    ]);
    await npm("install", "--offline", "--prefix", empty, inFolder(filename));
    const bare = [
      "env",
      "--ignore-environment",
      `PATH=${path.dirname(nodeBinary)}`,
      `HOME=${empty}`,
    ];
    for (const name of ["link", "kubectl-link"]) {
      const command = path.join(empty, "node_modules", ".bin", name);
      const printed = await runOk([
        ...bare,
        command,
        "install",
        "-o",
        "yaml",
        "--cluster-name",
        "a",
      ]);
      expect(printed).toContain("kind: Deployment");
    }
  });
});
