import { TerminalError } from "../../api/errors.ts";
import { INSTALL_NAMESPACE, KUBECONFIG_KEY } from "../../api/names.ts";
import type { Secret } from "../../api/objects.ts";
import { REASONS } from "../../api/reasons.ts";

const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;

/**
 * The kubeconfig in a link's credentials Secret, as text that nobody has
 * judged yet.
 *
 * @throws TerminalError (SecretNotFound, SecretKeyMissing, KubeconfigInvalid) naming the Secret and the fix
 */
export function kubeconfigTextOf(secret: Secret | undefined, secretName: string): string {
  const where = `Secret ${INSTALL_NAMESPACE}/${secretName}`;
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

/** Name of the object in messages about what it holds. */
export function secretLabel(secretName: string): string {
  return `Secret ${INSTALL_NAMESPACE}/${secretName}, key ${KUBECONFIG_KEY}`;
}
