import type { BedNode } from "../../test/bed/bed.ts";

/**
 * Drops every packet to and from a pod on its node, without a word to anyone: as if its machine had lost power.
 * @param name of the nftables table, of which a node has one at a time
 * @returns what ends it.
 * @throws Error when the node does not take the rules.
 */
export async function blackHole(
  node: BedNode,
  name: string,
  address: string,
): Promise<() => Promise<void>> {
  const table = `ip isthmus-bench-${name}`;
  const [to, from] = [`ip daddr ${address} drop`, `ip saddr ${address} drop`];
  const rules = `table ${table} {
${[chain("forward", to, from), chain("output", to), chain("input", from)].join("\n")}
}
`;
  await nft(node, ["--file", "-"], rules);
  return () => nft(node, ["delete", "table", ...table.split(" ")]);
}

function chain(hook: string, ...rules: string[]): string {
  return `  chain ${hook} {
    type filter hook ${hook} priority -10; policy accept;
    ${rules.join("\n    ")}
  }`;
}

async function nft(node: BedNode, args: readonly string[], input = ""): Promise<void> {
  const { code, stderr } = await node.exec(["nft", ...args], { input });
  if (code !== 0) throw new Error(`nft on ${node.name} ended with ${code}: ${stderr}`);
}
