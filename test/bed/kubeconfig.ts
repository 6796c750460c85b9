import { stringify } from "yaml";

/** One context of a kubeconfig; cluster, user and context share the name. */
export interface KubeconfigEntry {
  readonly name: string;
  readonly server: string;
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** The text of a kubeconfig with client certificates; the first entry is the current context. */
export function kubeconfigText(entries: readonly KubeconfigEntry[]): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: entries.map(({ name, server, caPem }) => ({
      name,
      cluster: { server, "certificate-authority-data": base64(caPem) },
    })),
    users: entries.map(({ name, certPem, keyPem }) => ({
      name,
      user: { "client-certificate-data": base64(certPem), "client-key-data": base64(keyPem) },
    })),
    contexts: entries.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
    "current-context": entries[0]?.name ?? "",
  });
}
