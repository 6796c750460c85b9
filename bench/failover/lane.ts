import { ANNOTATIONS } from "../../api/names.ts";
import type { KubeObject } from "../../api/objects.ts";
import type { BedNode } from "../../test/bed/bed.ts";
import { scaleDeployment } from "../../test/system/deployments.ts";
import { untilStandsBy } from "../../test/system/failover-state.ts";
import type { Member, System } from "../../test/system/system.ts";
import { applyObjects } from "../../test/workload/apply-objects.ts";
import { SteadyLoad } from "../../test/workload/steady-load.ts";
import { webServer } from "../../test/workload/web-server.ts";
import { blackHole } from "./black-hole.ts";
import { judgeRun, type Run } from "./judgement.ts";
import type { Kind, Mode } from "./kinds.ts";
import type { Readiness } from "./readiness.ts";

export const NAMESPACE = "shop";
/** Requests a second on each lane, and how long each may take. */
export const RATE = 200;
export const REQUEST_TIMEOUT_MS = 1000;
/** A probe, a change of the EndpointSlices and a sync of kube-proxy fit in, with a second to spare. */
export const DRAIN_MS = 3000;
/** Active mode at its quickest: nothing is waited for but what a controller has to. */
export const ACTIVE = { activateAfter: "0s", failbackAfter: "500ms" };
/** Answers in a row after which west is thought to have taken over. */
const TAKEN_OVER = RATE * 0.5;
/** The same of east at the end of a run: longer than a request may take, so that all of the run have ended. */
const SETTLED = RATE * 1.25;
const STATE_TIMEOUT_MS = 60_000;

export interface LaneOptions {
  readonly system: System;
  readonly readiness: Readiness;
  readonly mode: Mode;
  readonly signal: AbortSignal;
}

/** A Service of both clusters with one pod of east and a load of its own, whose failover is measured again and again. */
export class Lane {
  readonly mode: Mode;
  readonly #options: LaneOptions;
  readonly #east: Member;
  readonly #node: BedNode;
  readonly #load: SteadyLoad;

  private constructor(options: LaneOptions, east: Member, node: BedNode, load: SteadyLoad) {
    this.mode = options.mode;
    this.#options = options;
    this.#east = east;
    this.#node = node;
    this.#load = load;
  }

  /** Resolves once the load is answered by east and west stands by. */
  static async start(options: LaneOptions): Promise<Lane> {
    const { system, mode } = options;
    const [east, west] = [system.member("east"), system.member("west")];
    const [node] = east.cluster.nodes;
    if (node === undefined) throw new Error("east has no node");
    const server = { namespace: NAMESPACE, name: mode, image: system.image };
    await applyObjects(
      west.client,
      annotated(webServer({ ...server, cluster: "west" }), { [ANNOTATIONS.export]: "true" }),
    );
    await applyObjects(
      east.client,
      annotated(webServer({ ...server, cluster: "east", drainMs: DRAIN_MS }), {
        [ANNOTATIONS.failover]: "west",
        [ANNOTATIONS.failoverMode]: mode,
        [ANNOTATIONS.failoverActivateAfter]: ACTIVE.activateAfter,
        [ANNOTATIONS.failoverFailbackAfter]: ACTIVE.failbackAfter,
      }),
    );
    await untilStandsBy(east, server);
    const load = await SteadyLoad.start({
      ...server,
      name: `load-${mode}`,
      client: east.client,
      kubeConfig: east.kubeConfig,
      host: `${mode}.${NAMESPACE}.svc.cluster.local`,
      rate: RATE,
      timeoutMs: REQUEST_TIMEOUT_MS,
    });
    const lane = new Lane(options, east, node, load);
    await lane.#untilSteady("east", SETTLED, Date.now());
    return lane;
  }

  /** Takes the pod of east away, waits until west alone answers, and brings it back. */
  async measure(kind: Kind): Promise<Run> {
    const { mode: name, readiness, signal } = this.#options;
    const beganMs = Date.now();
    const bringBack = await this.#takeAway(kind);
    const fellMs = await readiness.untilFell(name, beganMs, signal);
    if (kind === "graceful") await readiness.untilGone(name, signal);
    await this.#untilSteady("west", TAKEN_OVER, fellMs);
    const returnedMs = Date.now();
    await bringBack();
    await this.#untilSteady("east", SETTLED, returnedMs);
    const times = { beganMs, fellMs, returnedMs, endedMs: Date.now() };
    const run = judgeRun({ mode: this.mode, kind }, times, this.#load.records);
    // None of these is looked at again.
    this.#load.records.length = 0;
    return run;
  }

  async stop(): Promise<void> {
    await this.#load.stop();
  }

  async #takeAway(kind: Kind): Promise<() => Promise<void>> {
    const { mode: name, readiness } = this.#options;
    if (kind === "crash") return blackHole(this.#node, name, readiness.addressOf(name));
    await scaleDeployment(this.#east, NAMESPACE, name, 0);
    return () => scaleDeployment(this.#east, NAMESPACE, name, 1);
  }

  #untilSteady(cluster: string, inARow: number, sinceMs: number): Promise<void> {
    const { signal } = this.#options;
    const timeoutMs = STATE_TIMEOUT_MS;
    return this.#load.untilSteady(cluster, { inARow, sinceMs, timeoutMs, signal });
  }
}

/** The same objects, the Service with annotations. */
function annotated(
  objects: readonly KubeObject[],
  annotations: Record<string, string>,
): KubeObject[] {
  return objects.map((object) =>
    object.kind === "Service"
      ? { ...object, metadata: { ...object.metadata, annotations } }
      : object,
  );
}
