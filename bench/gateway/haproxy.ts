import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Credentials } from "./credentials.ts";
import { SERVER_PORTS, SERVICE_NAMES, type ServiceName, type Subject } from "./subject.ts";
import type { World } from "./world.ts";

/** Of each, by service: where the first HAProxy takes TCP, and the second TLS. */
const BASE_PORTS = { plain: 20_000, tls: 21_000 };

export interface HaproxyOptions {
  /** Told apart by name and ports. */
  readonly name: string;
  readonly index: number;
  /** Whether connections may resume a TLS session of an earlier one, as HAProxy's do by default. */
  readonly resumes: boolean;
}

/**
 * Two HAProxy that do the gateways' job with a TLS session for each connection: TCP in, TLS 1.3 with a client certificate
 * between them, which the second verifies, and TCP out. Each has one thread, as a gateway has. Nothing else departs from
 * its defaults; it already sets TCP_NODELAY and resumes sessions. Splicing would be of no use: one side of each is TLS.
 */
export function startHaproxy(
  world: World,
  { consumer, provider }: Credentials,
  { name, index, resumes }: HaproxyOptions,
): Subject {
  const file = (suffix: string, text: string) => {
    const path = join(world.folder, `${name}-${suffix}`);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const consumerPem = file("consumer.pem", pem(consumer));
  const providerPem = file("provider.pem", pem(provider));
  const consumerCa = file("consumer-ca.pem", consumer.ca.certificatePem);
  const providerCa = file("provider-ca.pem", provider.ca.certificatePem);
  const port = (base: number, service: ServiceName) =>
    base + 10 * index + SERVICE_NAMES.indexOf(service);
  const plain = (service: ServiceName) =>
    `${world.address("hop1")}:${port(BASE_PORTS.plain, service)}`;
  const tls = (service: ServiceName) => `${world.address("hop2")}:${port(BASE_PORTS.tls, service)}`;
  const first = SERVICE_NAMES.map((service) => ({
    service,
    bind: plain(service),
    server: `${tls(service)} ssl crt ${consumerPem} ca-file ${providerCa} verify required ssl-min-ver TLSv1.3${resumes ? "" : " no-ssl-reuse"}`,
  }));
  const second = SERVICE_NAMES.map((service) => ({
    service,
    bind: `${tls(service)} ssl crt ${providerPem} ca-file ${consumerCa} verify required ssl-min-ver TLSv1.3`,
    server: `${world.address("server")}:${SERVER_PORTS[service]}`,
  }));
  const start = (hop: "hop1" | "hop2", listeners: readonly Listener[]) => {
    const path = file(
      `${hop}.cfg`,
      configuration(join(world.folder, `${name}-${hop}.sock`), listeners),
    );
    return world.start(`${name}-${hop}`, hop, ["haproxy", "-db", "-f", path]);
  };
  const hops = [start("hop1", first), start("hop2", second)];
  return { name, target: plain, hops };
}

function pem({ leaf }: Credentials["consumer"]): string {
  return `${leaf.certificatePem}${leaf.privateKeyPem}`;
}

interface Listener {
  readonly service: ServiceName;
  readonly bind: string;
  readonly server: string;
}

function configuration(statsSocket: string, listeners: readonly Listener[]): string {
  const sections = listeners.map(
    ({ service, bind, server }) => `listen ${service}
  bind ${bind}
  server one ${server}
`,
  );
  return `global
  nbthread 1
  maxconn 9000
  stats socket ${statsSocket}
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
${sections.join("")}`;
}
