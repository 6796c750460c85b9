import { z } from "zod";
import { TerminalError } from "../../../api/errors.ts";
import type { Link } from "../../../api/link.ts";
import { INSTALL_NAMESPACE, KUBECONFIG_KEY, RENEWED_TOKEN_KEY } from "../../../api/names.ts";
import type { Secret } from "../../../api/objects.ts";
import { REASONS } from "../../../api/reasons.ts";
import { readToken, tokenOf, withToken } from "./token.ts";

const referenceSchema = z.object({ credentialsSecretRef: z.object({ name: z.string().min(1) }) });
const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;

/**
 * The kubeconfig in a link's credentials Secret, as text that nobody has
 * judged yet; with the token that we renewed it by, where that is the same
 * account's and lives longer: a tool that applies the Secret from a repository
 * puts the first token back, and has to change nothing by it.
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
  return withLongerToken(decode(encoded), decode(secret.data?.[RENEWED_TOKEN_KEY] ?? ""));
}

function withLongerToken(text: string, renewed: string): string {
  if (renewed === "") return text;
  const [first, later] = [readToken(tokenOf(text) ?? "", 0), readToken(renewed, 0)];
  const isSameAccount =
    first !== undefined &&
    first.uid === later?.uid &&
    first.namespace === later?.namespace &&
    first.serviceAccount === later.serviceAccount;
  if (!isSameAccount || later.expiresAtMs <= first.expiresAtMs) return text;
  return withToken(text, renewed) ?? text;
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** The Secret as messages name it. */
export function secretLabel(secretName: string): string {
  return `Secret ${INSTALL_NAMESPACE}/${secretName}`;
}

/** The Secret with another kubeconfig, as a merge patch that is refused when the Secret changed meanwhile. */
export function kubeconfigPatch(secret: Secret, text: string): object {
  return {
    metadata: { resourceVersion: secret.metadata.resourceVersion },
    data: {
      [KUBECONFIG_KEY]: encode(text),
      [RENEWED_TOKEN_KEY]: encode(tokenOf(text) ?? ""),
    },
  };
}

/** Whether the Secret still holds exactly this kubeconfig, as {@link kubeconfigTextOf} reads it. */
export function holdsKubeconfig(secret: Secret, text: string): boolean {
  const encoded = secret.data?.[KUBECONFIG_KEY] ?? "";
  return encoded !== "" && kubeconfigTextOf(secret, secret.metadata.name) === text;
}

/** Key of the Secret that a Link names, if its spec can be read so far. */
export function credentialsSecretKeyOf(link: Link): string | undefined {
  const reference = referenceSchema.safeParse(link.spec);
  return reference.success
    ? `${INSTALL_NAMESPACE}/${reference.data.credentialsSecretRef.name}`
    : undefined;
}
