import { parse } from "yaml";
import { z } from "zod";
import { type Link, linkSpecSchema } from "../../../../api/link.ts";
import { INSTALL_NAMESPACE, KUBECONFIG_KEY } from "../../../../api/names.ts";
import type { Secret } from "../../../../api/objects.ts";
import { RESOURCES } from "../../../../api/resources.ts";
import { kubeconfigTextOf } from "../../../../controller/link/credentials/credentials.ts";
import { readToken } from "../../../../controller/link/credentials/token.ts";
import type { ClusterAccess } from "../../cluster-access.ts";
import { type Fact, lookUp } from "../fact.ts";
import type { LinkToken } from "../judge/links.ts";

const kubeconfigSchema = z.object({
  users: z.array(z.object({ user: z.object({ token: z.string().optional() }) })).min(1),
});

/** Reads until when the token of a Link's credentials is good; nothing of the token itself is kept. */
export async function gatherLinkToken(
  { client }: ClusterAccess,
  link: Link,
  { nowMs, signal }: { nowMs: number; signal: AbortSignal },
): Promise<Fact<LinkToken>> {
  const spec = linkSpecSchema.safeParse(link.spec);
  if (!spec.success) return { unknown: "its spec cannot be read: see link-conditions" };
  const { name } = spec.data.credentialsSecretRef;
  return await lookUp(signal, async (limited) => {
    const key = { namespace: INSTALL_NAMESPACE, name };
    const secret = await client.find<Secret>(RESOURCES.secrets, key, { signal: limited });
    const kubeconfig = kubeconfigSchema.safeParse(parse(kubeconfigTextOf(secret, name)));
    if (!kubeconfig.success) {
      throw new Error(`Secret ${name}, key ${KUBECONFIG_KEY}, is no kubeconfig with a user`);
    }
    const token = kubeconfig.data.users[0]?.user.token;
    return { secret: name, token: token === undefined ? undefined : readToken(token, nowMs) };
  });
}
