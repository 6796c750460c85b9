import type { FailoverPolicy } from "../../../api/failover.ts";
import { ANNOTATIONS } from "../../../api/names.ts";
import type { EndpointSlice, Service } from "../../../api/objects.ts";
import type { Source } from "../../../api/ownership.ts";
import type { GatewayPod } from "../../own-cluster/gateway-pods.ts";
import { FailoverMemory } from "../memory.ts";
import { type FailoverPlan, planFailover } from "./plan.ts";
import { failoverSlices, recordOf } from "./slices.ts";
import { assessTarget, type Target } from "./targets.ts";

/** For property tests: the life of one Service, what happens to it and its targets, and what is written each time. */

const SERVICE: Service = {
  metadata: { namespace: "shop", name: "web", uid: "1" },
  spec: { ipFamilies: ["IPv4", "IPv6"] },
};
const HTTP = { name: "http", port: 80 };
export const CLUSTERS = ["west", "north", "south"] as const;
const SOURCES: readonly Source[] = CLUSTERS.map((cluster) => ({
  cluster,
  namespace: "shop",
  name: "web",
}));

export type Step =
  | { readonly kind: "link"; readonly at: number; readonly link: "none" | "down" | "ready" }
  | { readonly kind: "mirror"; readonly at: number; readonly mirror: "none" | "closed" | "open" }
  | { readonly kind: "mirrors"; readonly mirror: "closed" | "open" }
  | { readonly kind: "ports"; readonly at: number; readonly name: string }
  | { readonly kind: "own"; readonly own: Own }
  | { readonly kind: "gateways"; readonly count: number }
  | { readonly kind: "policy"; readonly targets: readonly number[]; readonly mode: Mode }
  | { readonly kind: "time"; readonly ms: number }
  | { readonly kind: "restart" };
/** Of the Service's own endpoints: some ready, some that only drain, none of use. */
export type Own = "ready" | "draining" | "none";
export type Mode = FailoverPolicy["mode"];

/** How a Service asks for failover to begin with. */
export interface Beginning {
  readonly mode: Mode;
  readonly activateAfterMs: number;
  readonly failbackAfterMs: number;
}

/** What stands after a look at everything. */
export interface Look {
  readonly targets: readonly Target[];
  readonly plan: FailoverPlan;
  readonly slices: readonly EndpointSlice[];
}

/** A Service, its targets and gateways, moved by steps. */
export class Life {
  readonly #links = new Map<number, "none" | "down" | "ready">();
  readonly #mirrors = new Map<number, "none" | "closed" | "open">();
  readonly #portNames = new Map<number, string>();
  readonly #activateAfterMs: number;
  readonly failbackAfterMs: number;
  #own: Own = "ready";
  #memory = new FailoverMemory();
  #order: readonly number[] = [0, 1, 2];
  mode: Mode;
  gateways = 2;
  nowMs = 1_000_000;
  slices: readonly EndpointSlice[] = [];

  constructor(options: Beginning) {
    this.mode = options.mode;
    this.#activateAfterMs = options.activateAfterMs;
    this.failbackAfterMs = options.failbackAfterMs;
  }

  get ownReady(): boolean {
    return this.#own === "ready";
  }

  get ownUsable(): boolean {
    return this.#own !== "none";
  }

  take(what: Step): void {
    if (what.kind === "link") this.#links.set(what.at, what.link);
    else if (what.kind === "mirror") this.#mirrors.set(what.at, what.mirror);
    else if (what.kind === "mirrors") this.#closeOrOpen(what.mirror);
    else if (what.kind === "ports") this.#portNames.set(what.at, what.name);
    else if (what.kind === "own") this.#own = what.own;
    else if (what.kind === "gateways") this.gateways = what.count;
    else if (what.kind === "time") this.nowMs += what.ms;
    else if (what.kind === "restart") this.#memory = new FailoverMemory();
    else [this.#order, this.mode] = [what.targets, what.mode];
  }

  /** Looks at everything as the reconciler does, and writes. */
  look(): Look {
    const policy: FailoverPolicy = {
      targets: this.#order.map((index) => SOURCES[index] ?? missing()),
      mode: this.mode,
      ports: [{ own: HTTP, theirs: undefined }],
      activateAfterMs: this.#activateAfterMs,
      failbackAfterMs: this.failbackAfterMs,
    };
    const targets = this.#order.map((index) => this.#assess(index, policy));
    const { since, ...recorded } = recordOf(this.slices);
    const { ownReady, ownUsable, gateways } = this;
    const observed = this.#memory.observe("shop/web", { ownReady, ownUsable, targets }, this.nowMs);
    const plan = planFailover({
      service: "shop/web",
      policy,
      targets,
      recorded,
      observed,
      gateways,
    });
    this.slices = failoverSlices({
      service: SERVICE,
      plan,
      gateways: Array.from({ length: gateways }, (_, index) => gatewayPod(index)),
      since: (plan.state === recorded.state ? since : undefined) ?? String(this.nowMs),
    });
    return { targets, plan, slices: this.slices };
  }

  /** Lets time pass, looking only when the plan asked to, until it asks no more. */
  calm(): Look {
    let seen = this.look();
    for (let looks = 0; seen.plan.recheckAfterMs !== undefined; looks += 1) {
      const { recheckAfterMs } = seen.plan;
      if (looks > 20 || recheckAfterMs <= 0) throw new Error(`look ${looks} in ${recheckAfterMs}`);
      this.nowMs += recheckAfterMs;
      seen = this.look();
    }
    return seen;
  }

  #closeOrOpen(mirror: "closed" | "open"): void {
    for (const index of SOURCES.keys()) this.#mirrors.set(index, mirror);
  }

  #assess(index: number, policy: FailoverPolicy): Target {
    const link = this.#links.get(index) ?? "ready";
    const mirror = this.#mirrors.get(index) ?? "open";
    const source = SOURCES[index] ?? missing();
    return assessTarget(
      "shop/web",
      {
        source,
        link:
          link === "none" ? undefined : { name: `to-${source.cluster}`, open: link === "ready" },
        mirror: mirror === "none" ? undefined : this.#mirror(index, mirror),
        whyNoMirror: undefined,
      },
      policy,
    );
  }

  #mirror(index: number, state: string): Service {
    const name = this.#portNames.get(index) ?? "http";
    const port = name === "http" ? 80 : 81;
    return {
      metadata: { name: `web-${CLUSTERS[index]}`, annotations: { [ANNOTATIONS.state]: state } },
      spec: { ports: [{ name, port, targetPort: 10_000 + index }] },
    };
  }
}

function gatewayPod(index: number): GatewayPod {
  const addresses = { IPv4: `10.1.0.${index}`, IPv6: `fd00::${index}` };
  return { name: `gateway-${index}`, namespace: "s", uid: `${index}`, nodeName: "n", addresses };
}

function missing(): never {
  throw new Error("there is no such cluster");
}
