import { z } from "zod";
import { TerminalError } from "../../../api/errors.ts";
import type { Link } from "../../../api/link.ts";
import { INSTALL_NAMESPACE, KUBECONFIG_KEY } from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";

const referenceSchema = z.object({ credentialsSecretRef: z.object({ name: z.string().min(1) }) });
const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;

/**
 * The kubeconfig in a link's credentials Secret, as text that nobody has
 * judged yet.
 *
 * @throws TerminalError (SecretNotFound, SecretKeyMissing, KubeconfigInvalid) naming the Secret and the fix
 */
export function kubeconfigTextOf(secret: Secret | undefined, secretName: string): string {
  const where = secretLabel(secretName);
  if (secret === undefined) {
    throw new TerminalError(
      REASONS.SecretNotFound,
      `${where} does not exist; create it with link join, or name another in spec.credentialsSecretRef.`,
    );
  }
  const encoded = secret.data?.[KUBECONFIG_KEY] ?? "";
  if (encoded === "") {
    const found = Object.keys(secret.data ?? {}).join(", ") || "none";
    throw new TerminalError(
      REASONS.SecretKeyMissing,
      `${where} has no key ${KUBECONFIG_KEY} (keys found: ${found}); put the provider's kubeconfig there.`,
    );
  }
  if (!BASE64.test(encoded)) {
    throw new TerminalError(
      REASONS.KubeconfigInvalid,
      `${where}: key ${KUBECONFIG_KEY} is not base64; write it with kubectl create secret generic --from-file.`,
    );
  }
  return Buffer.from(encoded, "base64").toString("utf8");
}

/** The Secret as messages name it. */
export function secretLabel(secretName: string): string {
  return `Secret ${INSTALL_NAMESPACE}/${secretName}`;
}

/** The Secret with another kubeconfig, as a merge patch that is refused when the Secret changed meanwhile. */
export function kubeconfigPatch(secret: Secret, text: string): object {
  return {
    metadata: { resourceVersion: secret.metadata.resourceVersion },
    data: { [KUBECONFIG_KEY]: Buffer.from(text).toString("base64") },
  };
}

/** Whether the Secret still holds exactly this kubeconfig. */
export function holdsKubeconfig(secret: Secret, text: string): boolean {
  return secret.data?.[KUBECONFIG_KEY] === Buffer.from(text).toString("base64");
}

/** Key of the Secret that a Link names, if its spec can be read so far. */
export function credentialsSecretKeyOf(link: Link): string | undefined {
  const reference = referenceSchema.safeParse(link.spec);
  return reference.success
    ? `${INSTALL_NAMESPACE}/${reference.data.credentialsSecretRef.name}`
    : undefined;
}
