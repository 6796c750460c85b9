import { X509Certificate, createPrivateKey } from "node:crypto";
import { KubeConfig } from "@kubernetes/client-node";
import { parseDocument } from "yaml";
import { z } from "zod";
import { TerminalError } from "../../api/errors.ts";
import { REASONS } from "../../api/reasons.ts";

const MAX_BYTES = 64 * 1024;

/** What a link's kubeconfig is built from; every field that is not here is either refused or has no effect. */
const clusterSchema = z.looseObject({
  server: z.string().min(1),
  "certificate-authority-data": z.string().optional(),
  "tls-server-name": z.string().optional(),
});
const userSchema = z.looseObject({
  token: z.string().optional(),
  "client-certificate-data": z.string().optional(),
  "client-key-data": z.string().optional(),
});
const contextSchema = z.looseObject({
  cluster: z.string(),
  user: z.string(),
  namespace: z.string().optional(),
});
const kubeconfigSchema = z.looseObject({
  "current-context": z.string().min(1),
  contexts: z.array(z.looseObject({ name: z.string(), context: contextSchema })),
  clusters: z.array(z.looseObject({ name: z.string(), cluster: clusterSchema })),
  users: z.array(z.looseObject({ name: z.string(), user: userSchema })),
});

type Cluster = z.infer<typeof clusterSchema>;
type User = z.infer<typeof userSchema>;

/** Fields that would run a program, read our files, send the token elsewhere or switch off verification. */
const REFUSED_CLUSTER_FIELDS = {
  "insecure-skip-tls-verify": "set certificate-authority-data instead",
  "certificate-authority": "put the PEM in certificate-authority-data",
  "proxy-url": "make the server reachable without a proxy",
};
const REFUSED_USER_FIELDS = {
  exec: "use a ServiceAccount token",
  "auth-provider": "use a ServiceAccount token",
  "client-certificate": "put the PEM in client-certificate-data",
  "client-key": "put the PEM in client-key-data",
  tokenFile: "put the token in token",
  "token-file": "put the token in token",
  username: "use a ServiceAccount token",
  password: "use a ServiceAccount token",
  as: "use credentials that need no impersonation",
  "as-uid": "use credentials that need no impersonation",
  "as-groups": "use credentials that need no impersonation",
  "as-user-extra": "use credentials that need no impersonation",
};

/**
 * The kubeconfig of a link's Secret, which anybody may have written: bounded,
 * checked field by field, and reduced to its current context. Values never
 * show up in messages.
 *
 * @param objectName of the Secret, for messages: `Secret namespace/name`
 * @throws TerminalError KubeconfigInvalid or KubeconfigRefused, naming the Secret, the field and the fix
 */
export function parseLinkKubeconfig(yamlText: string, objectName: string): KubeConfig {
  const complain = new Complaints(objectName);
  const parsed = kubeconfigSchema.safeParse(readYaml(yamlText, complain));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.map(String).join(".") || "the document";
    throw complain.invalid(
      `${field}: ${issue?.message ?? "not a kubeconfig"}`,
      "write a complete kubeconfig",
    );
  }
  const { contexts, clusters, users, "current-context": current } = parsed.data;
  const context = contexts.find(({ name }) => name === current)?.context;
  if (context === undefined) {
    throw complain.invalid("current-context names no context", "set it to one of contexts[].name");
  }
  const cluster = clusters.find(({ name }) => name === context.cluster)?.cluster;
  if (cluster === undefined) {
    throw complain.invalid("contexts[].context.cluster names no cluster", "add it to clusters");
  }
  const user = users.find(({ name }) => name === context.user)?.user;
  if (user === undefined) {
    throw complain.invalid("contexts[].context.user names no user", "add it to users");
  }
  complain.ifPresent("cluster", cluster, REFUSED_CLUSTER_FIELDS);
  complain.ifPresent("user", user, REFUSED_USER_FIELDS);
  assertCluster(cluster, complain);
  assertUser(user, complain);
  return build(cluster, user);
}

class Complaints {
  readonly #objectName: string;

  constructor(objectName: string) {
    this.#objectName = objectName;
  }

  invalid(what: string, fix: string): TerminalError {
    return new TerminalError(
      REASONS.KubeconfigInvalid,
      `${this.#objectName}: kubeconfig: ${what}; ${fix}`,
    );
  }

  refused(what: string, fix: string): TerminalError {
    return new TerminalError(
      REASONS.KubeconfigRefused,
      `${this.#objectName}: kubeconfig: ${what} is refused; ${fix}`,
    );
  }

  /** @throws TerminalError when one of the fields is set; false and empty are as good as absent */
  ifPresent(where: string, entry: object, fields: Readonly<Record<string, string>>): void {
    for (const [field, value] of Object.entries(entry)) {
      const fix = fields[field];
      if (fix === undefined || value === undefined || value === null) continue;
      if (value === false || value === "") continue;
      throw this.refused(`${where}.${field}`, fix);
    }
  }
}

function readYaml(text: string, complain: Complaints): unknown {
  if (Buffer.byteLength(text) > MAX_BYTES) {
    throw complain.invalid(
      `more than ${MAX_BYTES / 1024} KiB`,
      "keep only the context that is used",
    );
  }
  const document = parseDocument(text, { logLevel: "silent", prettyErrors: false });
  const [error] = document.errors;
  // The parser's own message would quote the text, token and all.
  if (error !== undefined) throw complain.invalid(`not YAML (${error.code})`, "write valid YAML");
  try {
    return document.toJS({ maxAliasCount: 20 });
  } catch {
    throw complain.invalid("too many YAML aliases", "write it without aliases");
  }
}

function assertCluster(cluster: Cluster, complain: Complaints): void {
  const url = URL.canParse(cluster.server) ? new URL(cluster.server) : undefined;
  if (url === undefined) {
    throw complain.invalid("cluster.server is no URL", "write https://host:port");
  }
  if (url.protocol !== "https:")
    throw complain.refused(`cluster.server with ${url.protocol}//`, "use https://");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw complain.refused(
      "cluster.server with more than host, port and path",
      "write https://host:port",
    );
  }
  const ca = cluster["certificate-authority-data"];
  if (ca !== undefined && !isCertificate(ca)) {
    throw complain.invalid(
      "cluster.certificate-authority-data is no certificate",
      "write the base64 of a PEM certificate",
    );
  }
}

/** Visible ASCII: what an HTTP header can carry. */
const TOKEN = /^[\x21-\x7E]+$/;

function assertUser(user: User, complain: Complaints): void {
  const { token, "client-certificate-data": certificate, "client-key-data": key } = user;
  if (token !== undefined && !TOKEN.test(token.trim())) {
    throw complain.invalid(
      "user.token has characters no token has",
      "write the token as it was issued",
    );
  }
  if ((certificate === undefined) !== (key === undefined)) {
    throw complain.invalid(
      "user has only one of client-certificate-data and client-key-data",
      "write both or use a token",
    );
  }
  if (certificate !== undefined && !isCertificate(certificate)) {
    throw complain.invalid(
      "user.client-certificate-data is no certificate",
      "write the base64 of a PEM certificate",
    );
  }
  if (key !== undefined && !isPrivateKey(key)) {
    throw complain.invalid(
      "user.client-key-data is no private key",
      "write the base64 of a PEM key",
    );
  }
  if (token === undefined && certificate === undefined) {
    throw complain.invalid("user has no credentials", "set user.token");
  }
}

function isCertificate(base64: string): boolean {
  try {
    return new X509Certificate(Buffer.from(base64, "base64")).fingerprint256 !== "";
  } catch {
    return false;
  }
}

function isPrivateKey(base64: string): boolean {
  try {
    return createPrivateKey(Buffer.from(base64, "base64")).type === "private";
  } catch {
    return false;
  }
}

function build(cluster: Cluster, user: User): KubeConfig {
  const name = "link";
  const config = new KubeConfig();
  const caData = cluster["certificate-authority-data"];
  const tlsServerName = cluster["tls-server-name"];
  const certData = user["client-certificate-data"];
  const keyData = user["client-key-data"];
  config.loadFromClusterAndUser(
    {
      name,
      server: cluster.server.replace(/\/+$/, ""),
      skipTLSVerify: false,
      ...(caData !== undefined && { caData }),
      ...(tlsServerName !== undefined && { tlsServerName }),
    },
    {
      name,
      ...(user.token !== undefined && { token: user.token.trim() }),
      ...(certData !== undefined && { certData }),
      ...(keyData !== undefined && { keyData }),
    },
  );
  return config;
}
