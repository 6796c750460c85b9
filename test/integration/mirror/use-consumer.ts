import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import type { Clock } from "../../../api/clock.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { Consumer } from "./consumer.ts";
import {
  type ConsumerCluster,
  makeGatewayPod,
  makeNamespace,
  startConsumer,
} from "./consumer-cluster.ts";
import type { HandLink } from "./hand-links.ts";

export const GATEWAY_POD = "gateway-a";
export const GATEWAY_IP = "10.1.0.5";

/** What a test of this folder finds set up. */
export interface Setup {
  readonly cluster: ConsumerCluster;
  readonly consumer: Consumer;
  /** A Link that is Ready, of cluster west. */
  readonly west: HandLink;
  /** Exists in the consumer cluster, for this test alone. */
  readonly namespace: string;
  /** Ends the controller and starts another, which knows of no Link until it is told. */
  restart(): Promise<Consumer>;
}

/** For each test a controller at work; for the file a cluster with one egress gateway that is Ready. */
export function useConsumer(clock?: Clock): Setup {
  const now: { cluster?: ConsumerCluster; consumer?: Consumer; west?: HandLink } = {};
  let namespace = "";

  async function begin(): Promise<Consumer> {
    const consumer = await Consumer.start(present(now.cluster), namespace, clock);
    now.consumer = consumer;
    return consumer;
  }

  beforeAll(async () => {
    now.cluster = await startConsumer();
    await makeGatewayPod(now.cluster.admin, GATEWAY_POD, GATEWAY_IP);
  });
  afterAll(async () => {
    await now.cluster?.down();
  });
  beforeEach(async () => {
    namespace = `test-${randomUUID().slice(0, 8)}`;
    // Before the controller lists them.
    await makeNamespace(present(now.cluster).admin, namespace);
    const consumer = await begin();
    now.west = consumer.links.add("west");
    await consumer.lead();
  });
  afterEach(async () => {
    await now.consumer?.clear();
    await now.consumer?.stop();
    await now.cluster?.admin.remove(RESOURCES.namespaces, { name: namespace });
  });

  return {
    get cluster() {
      return present(now.cluster);
    },
    get consumer() {
      return present(now.consumer);
    },
    get west() {
      return present(now.west);
    },
    get namespace() {
      return namespace;
    },
    async restart() {
      await now.consumer?.stop();
      return await begin();
    },
  };
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("not set up yet");
  return value;
}
