import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RESOURCES } from "../../api/resources.ts";
import type { System } from "../../test/system/system.ts";
import type { Attempt } from "../../test/workload/caller.ts";
import { CONSUMER, NAMESPACE } from "./world.ts";

/**
 * Writes beside the logs what explains a failed run: every attempt, the mirrors as the API server has them, and what
 * kube-proxy has made of them.
 */
export async function writeDiagnostics(
  system: System,
  attempts: readonly Attempt[],
): Promise<void> {
  const folder = join(system.bed.logsFolder, "chaos");
  mkdirSync(folder, { recursive: true });
  const write = (name: string, lines: readonly unknown[]) =>
    writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  write("attempts.jsonl", attempts);
  const { client, cluster } = system.member(CONSUMER);
  for (const resource of [RESOURCES.services, RESOURCES.endpointSlices, RESOURCES.links]) {
    const namespace = resource === RESOURCES.links ? {} : { namespace: NAMESPACE };
    write(`${resource.plural}.jsonl`, (await client.list(resource, namespace)).items);
  }
  for (const node of cluster.nodes) {
    const { stdout } = await node.exec(["nft", "list", "ruleset"]);
    writeFileSync(join(folder, `${node.name}.nft`), stdout);
  }
}
