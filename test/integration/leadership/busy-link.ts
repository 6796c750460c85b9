import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Link } from "../../../api/link.ts";
import { ANNOTATIONS, gatewayIdentity, LABELS, peerServerName } from "../../../api/names.ts";
import type { EndpointSlice, KubeObject, Service } from "../../../api/objects.ts";
import { isOurs } from "../../../api/ownership.ts";
import { RESOURCES } from "../../../api/resources.ts";
import type { KubeClient } from "../../../kube/client/client.ts";
import { slicesOf, readyAddresses } from "../../workload/mirror-state.ts";
import { eventually } from "../fixtures.ts";
import { Provider } from "../gateway/two-gateways.ts";
import { CONSUMER, PROVIDER, type World } from "../link/clusters.ts";
import {
  consumerBundle,
  goodKubeconfig,
  LINK_KEY,
  putCredentials,
  SECRET_KEY,
} from "../link/link-world.ts";
import { makeGatewayPod } from "../mirror/consumer-cluster.ts";

/** Of the sources, and of the mirrors. */
export const MIRROR_NAMESPACE = "shop";
const SERVICES = Array.from({ length: 8 }, (_, index) => `web-${index}`);
/** Often enough that the leader always has something to write. */
const CHANGE_PERIOD_MS = 15;
/** Copied from a source to its mirror. */
const REVISION = "revision";

/** A link whose provider exports many Services, with all that makes it Ready, but no controller. */
export class BusyLink {
  readonly #world: World;
  readonly gateway: Provider;
  /** Also when it has gone. */
  readonly #port: number;

  private constructor(world: World, gateway: Provider) {
    this.#world = world;
    this.gateway = gateway;
    this.#port = gateway.port;
  }

  /** Makes it all; a controller has to be running, which publishes the consumer's trust bundle. */
  static async create(world: World): Promise<BusyLink> {
    const { east, west } = world;
    const gateway = new Provider(world.identity);
    gateway.ingress.setPeers([
      {
        name: CONSUMER,
        serverName: peerServerName(CONSUMER),
        bundlePem: await consumerBundle(world),
        identity: gatewayIdentity(CONSUMER),
      },
    ]);
    await gateway.ingress.start();
    const busy = new BusyLink(world, gateway);
    for (const client of [east, west]) {
      await client.create<KubeObject>(RESOURCES.namespaces, {
        metadata: { name: MIRROR_NAMESPACE },
      });
    }
    await makeGatewayPod(east, "isthmus-gateway-0", "10.99.0.1");
    for (const name of SERVICES) await exportService(west, name);
    await putCredentials(world, await goodKubeconfig(world));
    await busy.putLink();
    return busy;
  }

  async putLink(): Promise<void> {
    const { east, identity } = this.#world;
    await east.apply<Link>(
      RESOURCES.links,
      {
        metadata: LINK_KEY,
        spec: {
          credentialsSecretRef: { name: SECRET_KEY.name },
          gateway: {
            identity: gatewayIdentity(PROVIDER),
            addresses: ["127.0.0.1"],
            port: this.#port,
          },
          trustBundle: identity.ca.certificatePem,
          // Other tests on the machine are not to close it.
          probe: { timeoutSeconds: 5 },
        },
      },
      { fieldManager: "test", force: true },
    );
  }

  /** Changes one source after the other until the returned function is called. */
  keepChanging(): () => Promise<void> {
    const ending = new AbortController();
    const { west } = this.#world;
    const changing = (async () => {
      for (let revision = 0; !ending.signal.aborted; revision += 1) {
        const name = SERVICES[revision % SERVICES.length] ?? "";
        const labels = { [REVISION]: `r${Date.now()}` };
        const key = { namespace: MIRROR_NAMESPACE, name };
        await west.patch(RESOURCES.services, key, { metadata: { labels } }, { type: "merge" });
        await sleep(CHANGE_PERIOD_MS);
      }
    })();
    return async () => {
      ending.abort();
      await changing;
    };
  }

  /** The mirrors as they are. */
  async mirrors(): Promise<Service[]> {
    const { items } = await this.#world.east.list<Service>(RESOURCES.services, {
      namespace: MIRROR_NAMESPACE,
      labelSelector: `${LABELS.link}=${LINK_KEY.name}`,
    });
    return items.filter(isOurs);
  }

  /** Waits until each source has one mirror, of its last revision, and all are open or all closed. */
  async untilMirrored(state: "open" | "closed" = "open"): Promise<void> {
    const { west, east } = this.#world;
    await untilAlike(`every mirror is there and ${state}`, async () => {
      const sources = await west.list<Service>(RESOURCES.services, { namespace: MIRROR_NAMESPACE });
      const ready = state === "open" ? 1 : 0;
      const wanted = sources.items.map(
        ({ metadata }) =>
          `${metadata.name}-${PROVIDER} ${metadata.labels?.[REVISION]} ${state} ${ready}`,
      );
      const found = (await this.mirrors()).map(
        async ({ metadata: { name, labels, annotations } }) => {
          const slices = await slicesOf(east, { namespace: MIRROR_NAMESPACE, name });
          const addresses = readyAddresses(slices).length;
          return `${name} ${labels?.[REVISION]} ${annotations?.[ANNOTATIONS.state]} ${addresses}`;
        },
      );
      return [await Promise.all(found), wanted];
    });
  }

  /** Waits until every mirror says that it is closed, whatever its revision. */
  async untilClosed(): Promise<void> {
    await untilAlike("every mirror is closed", async () => {
      const mirrors = await this.mirrors();
      const states = mirrors.map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.state]);
      return [states, SERVICES.map(() => "closed")];
    });
  }

  /** The gateway is gone. */
  close(): void {
    this.gateway.ingress.destroy();
  }
}

async function exportService(west: KubeClient, name: string): Promise<void> {
  await west.create<Service>(RESOURCES.services, {
    metadata: { namespace: MIRROR_NAMESPACE, name, annotations: { [ANNOTATIONS.export]: "true" } },
    spec: { ports: [{ name: "http", port: 80, protocol: "TCP" }] },
  });
  const slice: EndpointSlice = {
    metadata: {
      namespace: MIRROR_NAMESPACE,
      name: `${name}-test`,
      labels: { [LABELS.serviceName]: name },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.98.0.1"], conditions: { ready: true } }],
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  };
  await west.create(RESOURCES.endpointSlices, slice);
}

async function untilAlike(
  describe: string,
  look: () => Promise<[found: unknown[], wanted: unknown[]]>,
): Promise<void> {
  const attempt = async () => {
    const [found, wanted] = await look();
    if (isDeepStrictEqual(found, wanted)) return;
    throw new Error(`${found.join(", ")} instead of ${wanted.join(", ")}`);
  };
  await eventually(attempt, { describe, timeoutMs: 60_000 });
}
