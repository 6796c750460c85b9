import { GATEWAY_HEALTH_PORT, GATEWAY_NAME, INSTALL_NAMESPACE, LABELS } from "../../api/names.ts";
import type { Pod } from "../../api/objects.ts";
import { RESOURCES } from "../../api/resources.ts";
import type { Member } from "./system.ts";

const LINE = /^isthmus_gateway_streams_total\{(?<labels>[^}]*)\} (?<count>\d+)$/gm;
const READ = `fetch(process.argv[1]).then((answer) => answer.text()).then(console.log)`;

/**
 * How many streams for an exported Service, `namespace/name`, have ended at all gateways of a cluster so far, in either
 * role and by whatever end.
 * @throws Error when a gateway does not tell.
 */
export async function streamsFor(member: Member, service: string): Promise<number> {
  const { items } = await member.client.list<Pod>(RESOURCES.pods, {
    namespace: INSTALL_NAMESPACE,
    labelSelector: `${LABELS.name}=${GATEWAY_NAME}`,
  });
  const [node] = member.cluster.nodes;
  const counts = await Promise.all(
    items.map(async ({ metadata, status }) => {
      const address = status?.podIPs?.[0]?.ip ?? "";
      const url = `http://${address}:${GATEWAY_HEALTH_PORT}/metrics`;
      const answer = await node?.exec([process.execPath, "-e", READ, url]);
      if (answer?.code !== 0)
        throw new Error(`no metrics of ${metadata.name}: ${answer?.stderr ?? ""}`);
      return [...answer.stdout.matchAll(LINE)]
        .filter(({ groups }) => groups?.["labels"]?.includes(`service="${service}"`))
        .reduce((sum, { groups }) => sum + Number(groups?.["count"]), 0);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
