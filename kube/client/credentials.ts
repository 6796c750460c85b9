import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Clock } from "../../api/clock.ts";

/** What a connection to the API server needs besides its address. */
export interface TlsMaterial {
  ca?: string;
  cert?: string;
  key?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
}

export interface Credentials {
  tls: TlsMaterial;
  headers: Record<string, string>;
}

/** Token files and exec plugins are asked again this often, and after every 401. */
const MAX_AGE_MS = 15_000;

/**
 * The credentials of a kubeconfig's current context, read through client-node
 * (tokens, token files, client certificates, exec plugins) and kept briefly.
 */
export class CredentialSource {
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  #kept: { credentials: Promise<Credentials>; readAtMs: number } | undefined;

  constructor(config: KubeConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /** @throws whatever reading a file or running an exec plugin throws */
  async get(): Promise<Credentials> {
    const nowMs = this.#clock.nowMs();
    if (this.#kept === undefined || Math.abs(nowMs - this.#kept.readAtMs) > MAX_AGE_MS) {
      this.#kept = { credentials: read(this.#config), readAtMs: nowMs };
      this.#kept.credentials.catch(() => this.forget());
    }
    return await this.#kept.credentials;
  }

  /** Makes the next `get` read afresh. */
  forget(): void {
    this.#kept = undefined;
  }
}

/** The part of https.RequestOptions that client-node fills in. */
type FilledOptions = RequestOptions & { servername?: string };

async function read(config: KubeConfig): Promise<Credentials> {
  const options: FilledOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  if (typeof options.auth === "string") {
    headers["authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file may end in a line break, which no header may hold.
    if (typeof value === "string") headers[name.toLowerCase()] = value.trim();
  }
  const tokenFile = tokenFileOf(config);
  if (tokenFile !== undefined) {
    // client-node keeps the token for a minute, even one that was rejected.
    headers["authorization"] = `Bearer ${await readToken(tokenFile)}`;
  }
  const tls: TlsMaterial = {};
  const { ca, cert, key, servername, rejectUnauthorized } = options;
  if (isPem(ca)) tls.ca = ca.toString();
  if (isPem(cert)) tls.cert = cert.toString();
  if (isPem(key)) tls.key = key.toString();
  if (servername !== undefined) tls.servername = servername;
  if (rejectUnauthorized !== undefined) tls.rejectUnauthorized = rejectUnauthorized;
  return { tls, headers };
}

/** An empty token would make us anonymous, and the refusal one of permissions. */
async function readToken(file: string): Promise<string> {
  const token = (await readFile(file, "utf8")).trim();
  if (token === "") throw new Error(`token file ${file} is empty`);
  return token;
}

/** Where `loadFromCluster` leaves the path of a token file. */
function tokenFileOf(config: KubeConfig): string | undefined {
  const provider: unknown = config.getCurrentUser()?.authProvider;
  if (typeof provider !== "object" || provider === null || !("config" in provider))
    return undefined;
  const { config: settings } = provider;
  if (typeof settings !== "object" || settings === null || !("tokenFile" in settings)) {
    return undefined;
  }
  return typeof settings.tokenFile === "string" ? settings.tokenFile : undefined;
}

function isPem(value: unknown): value is string | Buffer {
  return typeof value === "string" || Buffer.isBuffer(value);
}
