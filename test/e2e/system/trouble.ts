import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, it, onTestFinished } from "vitest";
import type { CheckReport } from "../../../cmd/link/check/report.ts";
import { dropLargePackets } from "../../bed/network-faults.ts";
import { gatewayAddress } from "../../system/journey.ts";
import { link, tryLink } from "../../system/link-command.ts";
import { leakedInto, secretPieces } from "../../system/secret-pieces.ts";
import type { World } from "./world.ts";

/** Of an overlay network, in bytes: less than the bed's nodes believe they have. */
const NARROW_MTU = 1450;

/** What `link check` and `link diagnose` find in clusters whose pods run. */
export function troubleTests(world: () => World): void {
  it("is told of a path that swallows large packets, and by how much", async () => {
    const { system, west } = world();
    const end = await dropLargePackets(system.bed, await gatewayAddress(west), NARROW_MTU);
    onTestFinished(end);
    const { code, stdout } = await tryLink(system.bed, "check", "--context", "east", "-o", "json");
    const { checks }: CheckReport = JSON.parse(stdout);
    const mtu = checks.find(({ id }) => id === "path-mtu");
    expect(mtu).toMatchObject({ result: "fail" });
    expect(mtu?.message).toContain("payloads of 1300 bytes pass, those of 1400 do not");
    expect(code).toBe(1);
  });

  it("gathers the logs and metrics of every pod, and nothing of any Secret", async () => {
    const { system, east } = world();
    const folder = await mkdtemp(path.join(tmpdir(), "isthmus-gather-"));
    onTestFinished(async () => await rm(folder, { recursive: true, force: true }));
    const file = path.join(folder, "east.tar.gz");
    await link(system.bed, "diagnose", "gather", "--context", "east", "--output", file);
    const archive = gunzipSync(await readFile(file)).toString("latin1");
    expect(archive).toMatch(/logs\/isthmus-gateway-[^/]+\/gateway.log/);
    expect(archive).toMatch(/^isthmus_gateway_link_up\{link="west"\} 1$/m);
    expect(leakedInto(archive, await secretPieces(east.client))).toEqual([]);
  });
}
