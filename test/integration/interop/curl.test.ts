import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { run, runOk } from "../../bed/command.ts";
import { startBackend } from "../gateway/loopback.ts";
import { type Identity, createIdentity, startProvider } from "../gateway/two-gateways.ts";
import { startServer } from "../protocols/real-process.ts";
import { withNamedLeaf } from "./named-leaf.ts";
import { type PemFiles, writePemFiles } from "./pem-files.ts";

/** curl as a consumer: against our ingress itself, and through nghttpx, which speaks its HTTP/2 for it. */

const GATEWAY = "east.peer.isthmus";
const BODY = randomBytes(4 * 1024 * 1024).toString("hex");
const CURL = ["curl", "--silent", "--show-error", "--fail"];

/** What curl tells when it has heard no status. */
const NO_STATUS = "000";

let east: Identity;

beforeAll(async () => {
  east = await createIdentity("east");
});

/** Our ingress, exporting `shop/web`: an HTTP server that answers a GET with a long text, a PUT with its digest. */
async function startIngress(): Promise<{ port: number; pem: PemFiles }> {
  const server = createServer((request, response) => {
    const hash = createHash("sha256");
    request.on("data", (chunk: Buffer) => hash.update(chunk));
    request.on("end", () => response.end(request.method === "PUT" ? hash.digest("hex") : BODY));
  });
  const backend = await startBackend((socket) => server.emit("connection", socket));
  const ours = await createIdentity("west");
  const pem = await writePemFiles(east, ours);
  const west = await withNamedLeaf(ours, pem.folder);
  const provider = await startProvider(west, [east]);
  provider.export("web", [backend]);
  return { port: provider.port, pem };
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

test("curl asks the ready probe over HTTP/2 with a client certificate, and checks ours", async () => {
  const { port, pem } = await startIngress();
  const printed = await runOk([
    ...CURL,
    "--http2",
    "--tlsv1.3",
    "--resolve",
    `${GATEWAY}:${port}:127.0.0.1`,
    "--cert",
    pem.cert,
    "--key",
    pem.key,
    "--cacert",
    pem.bundle,
    "--write-out",
    "\nHTTP/%{http_version} %{http_code}",
    `https://${GATEWAY}:${port}/.isthmus/ready`,
  ]);
  expect(printed).toBe('{"cluster":"west","draining":false}\nHTTP/2 200');
});

/** What curl gets with these options, which name its proxy: a download, an upload's answer, and three refusals. */
async function useProxy(proxy: readonly string[], folder: string) {
  const curl = [...CURL, ...proxy, "--proxytunnel"];
  const file = path.join(folder, "upload");
  await writeFile(file, BODY);
  const refused = ["http://other.shop.svc:80/", "http://web.shop.svc:22/", "http://127.0.0.1:80/"];
  return {
    download: sha256(await runOk([...curl, "http://web.shop.svc/"])),
    upload: await runOk([...curl, "--upload-file", file, "http://web.shop.svc:80/"]),
    refusals: await Promise.all(
      refused.map((url) => run([...curl, "--write-out", "%{http_connect}", url])),
    ),
  };
}

describe("our ingress is the proxy", async () => {
  const help = await run(["curl", "--help", "all"]);
  /** Since curl 8.1; Debian 12's own is older, its backports' is not. */
  const speaksHttp2ToProxies = help.stdout.includes("--proxy-http2");

  test.skipIf(!speaksHttp2ToProxies)("of curl, over HTTP/2 with a client certificate", async () => {
    const { port, pem } = await startIngress();
    const { download, upload, refusals } = await useProxy(
      [
        "--proxy-http2",
        "--proxy",
        `https://${GATEWAY}:${port}`,
        "--resolve",
        `${GATEWAY}:${port}:127.0.0.1`,
        "--proxy-cert",
        pem.cert,
        "--proxy-key",
        pem.key,
        "--proxy-cacert",
        pem.bundle,
      ],
      pem.folder,
    );
    expect({ download, upload }).toEqual({ download: sha256(BODY), upload: sha256(BODY) });
    // It may take the RST_STREAM that follows the answer (RFC 9113 section 8.1) for a failure.
    for (const [index, status] of ["404", "403", "400"].entries()) {
      expect(refusals[index]?.code).toBeGreaterThan(0);
      expect([status, NO_STATUS]).toContain(refusals[index]?.stdout);
    }
  });

  test("of nghttpx, a forward proxy for curl's HTTP/1", async () => {
    const { port, pem } = await startIngress();
    const nghttpx = await startServer((front) => [
      "nghttpx",
      "--http2-proxy",
      "--no-location-rewrite",
      "--workers=1",
      "--conf=/dev/null",
      `--frontend=127.0.0.1,${front};no-tls`,
      `--backend=127.0.0.1,${port};;proto=h2;tls;sni=${GATEWAY}`,
      `--client-cert-file=${pem.cert}`,
      `--client-private-key-file=${pem.key}`,
      `--cacert=${pem.bundle}`,
    ]);
    const proxy = ["--proxy", `http://127.0.0.1:${nghttpx.port}`];
    const { download, upload, refusals } = await useProxy(proxy, pem.folder);
    expect({ download, upload }).toEqual({ download: sha256(BODY), upload: sha256(BODY) });
    expect(refusals.map(({ stdout }) => stdout)).toEqual(["404", "403", "400"]);
  });
});
