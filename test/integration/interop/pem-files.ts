import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { Identity } from "../gateway/two-gateways.ts";

/** A cluster's certificates as files, as software of others wants them. */
export interface PemFiles {
  readonly folder: string;
  /** Its own leaf. */
  readonly cert: string;
  readonly key: string;
  /** The CA of the other cluster. */
  readonly bundle: string;
}

/** Writes a cluster's leaf, its key and the CA of the cluster it talks to into a folder that goes with the test. */
export async function writePemFiles(
  own: Pick<Identity, "leaf">,
  other: Pick<Identity, "ca">,
): Promise<PemFiles> {
  const folder = await mkdtemp(path.join(tmpdir(), "isthmus-interop-"));
  onTestFinished(async () => await rm(folder, { recursive: true }));
  const write = async (name: string, text: string) => {
    const file = path.join(folder, name);
    await writeFile(file, text, { mode: 0o600 });
    return file;
  };
  return {
    folder,
    cert: await write("leaf.pem", own.leaf.certificatePem),
    key: await write("leaf-key.pem", own.leaf.privateKeyPem),
    bundle: await write("bundle.pem", other.ca.certificatePem),
  };
}
