import type { Clock } from "../../../api/clock.ts";
import type { Link } from "../../../api/link.ts";
import { INSTALL_NAMESPACE, LEADER_LEASE_NAME, LINK_FINALIZER } from "../../../api/names.ts";
import { RESOURCES } from "../../../api/resources.ts";
import { dropFinalizer } from "../../../controller/link/finalizer.ts";
import { isApiError } from "../../../kube/client/api-error.ts";
import type { Lease } from "../../../kube/elector/lease.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { type Sighting, waitUntil } from "../wait-until.ts";
import {
  describeOwnObject,
  isHeld,
  mirrorObjectsOf,
  removeMirrorObject,
} from "./mirror-objects.ts";
import type { UnjoinOptions } from "./unjoin-options.ts";

/**
 * Deletes a Link and waits until the controller has removed its mirrors, or
 * with `force` removes them without the controller.
 * @throws CliError naming what is left, when it takes too long
 */
export async function removeLink(options: UnjoinOptions, link: Link): Promise<void> {
  const { access, linkName, reporter, signal } = options;
  const { uid } = link.metadata;
  reporter.progress(`removing Link ${linkName} and its mirrors`);
  // First of all: a controller that runs, or starts, then makes no mirror any more.
  await access.client.remove(RESOURCES.links, keyOf(options), {
    ...(uid !== undefined && { uid }),
    signal,
  });
  if (options.force) {
    await removeMirrors(options);
    await letGo(options, uid);
  }
  await untilGone(options, uid);
  reporter.done(`removed Link ${linkName} and its mirrors`);
}

/** Whose mirrors are meant, and with what to remove them. */
export type MirrorRemoval = Omit<UnjoinOptions, "linkName" | "provider" | "force"> & {
  /** Absent: of every Link, also of those that are gone. */
  linkName?: string | undefined;
};

/**
 * Removes what is left of mirrors, by the rules of the controller and without it.
 * @throws CliError when something comes back again and again
 */
export async function removeMirrors(options: MirrorRemoval): Promise<void> {
  const { access, linkName, timeoutMs, reporter, clock, signal } = options;
  const look = async (): Promise<Sighting<true>> => {
    const objects = await mirrorObjectsOf(access, linkName, signal);
    const removable = objects.filter(
      ({ object }) => object.metadata.deletionTimestamp === undefined,
    );
    if (removable.length === 0) return { found: true };
    for (const mirror of removable) await removeMirrorObject(access, mirror, signal);
    return { missing: `removing ${removable.length} objects of mirrors` };
  };
  const whose = linkName === undefined ? "all Links" : `Link ${linkName}`;
  await waitUntil(`removal of the mirrors of ${whose}`, look, {
    clock,
    signal,
    timeoutMs,
    onMissing: (missing) => reporter.progress(missing),
    fix: "something makes them again: stop the controller, then give the command again",
  });
}

/** What is deleted and stays: nobody waits for it, somebody has to know. */
export async function warnOfHeld(
  options: Omit<MirrorRemoval, "timeoutMs" | "clock">,
): Promise<void> {
  const { access, linkName, reporter, signal } = options;
  const objects = await mirrorObjectsOf(access, linkName, signal);
  for (const held of objects.filter(isHeld)) {
    reporter.warn(`${describeOwnObject(held)}: it goes when that is taken away`);
  }
}

/** Takes our finalizer off the Link, whatever else writes to it meanwhile. */
async function letGo(options: UnjoinOptions, uid: string | undefined): Promise<void> {
  const { access, linkName, timeoutMs, clock, signal } = options;
  const look = async (): Promise<Sighting<true>> => {
    const link = await findLink(options);
    if (link === undefined || link.metadata.uid !== uid) return { found: true };
    try {
      await dropFinalizer(access.client, link, signal);
      return { found: true };
    } catch (error) {
      if (!isApiError(error, "Conflict")) throw error;
      return { missing: "the Link is being changed by others" };
    }
  };
  await waitUntil(`release of Link ${linkName}`, look, { clock, signal, timeoutMs });
}

async function untilGone(options: UnjoinOptions, uid: string | undefined): Promise<void> {
  const { access, linkName, timeoutMs, reporter, clock, signal } = options;
  const controller = new ControllerWatch(access, clock);
  const look = async (): Promise<Sighting<true>> => {
    const link = await findLink(options);
    if (link === undefined || link.metadata.uid !== uid) return { found: true };
    const left = await mirrorObjectsOf(access, linkName, signal);
    const reasons = [whatKeeps(link, left.map(describeOwnObject)), await controller.look(signal)];
    return { missing: reasons.filter((reason) => reason !== "").join("; ") };
  };
  const kubectl = `kubectl --context ${access.contextName} -n ${INSTALL_NAMESPACE}`;
  await waitUntil(`removal of Link ${linkName}`, look, {
    clock,
    signal,
    timeoutMs,
    onMissing: (missing) => reporter.progress(missing),
    fix: options.force
      ? `take the other finalizers away: ${kubectl} edit link ${linkName}`
      : `let a controller run (${kubectl} get pods, ${kubectl} logs deployment/isthmus-controller), then give the command again, it carries on; or remove everything without a controller: link unjoin ${linkName} --context ${access.contextName} --force`,
  });
}

function whatKeeps(link: Link, left: readonly string[]): string {
  const [first] = left;
  if (first !== undefined) return `${left.length} objects of its mirrors are left: ${first}`;
  const { finalizers = [] } = link.metadata;
  const others = finalizers.filter((finalizer) => finalizer !== LINK_FINALIZER);
  return others.length === finalizers.length
    ? `its finalizer ${others.join(", ")} is not of Isthmus`
    : "its mirrors are gone, the controller has not let it go yet";
}

/** A controller that leads renews its Lease every 2 s; one that is ending, or busy, may be late. */
const LATE_MS = 10_000;

/** Tells from the Lease, without comparing clocks, whether a controller works. */
class ControllerWatch {
  readonly #access: ClusterAccess;
  readonly #clock: Clock;
  readonly #sinceMs: number;
  #first: string | undefined;

  constructor(access: ClusterAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
  }

  /** In words; empty as long as there is nothing to say. */
  async look(signal: AbortSignal): Promise<string> {
    const key = { namespace: INSTALL_NAMESPACE, name: LEADER_LEASE_NAME };
    const lease = await this.#access.client.find<Lease>(RESOURCES.leases, key, { signal });
    const { holderIdentity = "", renewTime = "" } = lease?.spec ?? {};
    this.#first ??= renewTime;
    if (holderIdentity === "") return "no controller leads";
    if (renewTime !== this.#first) return `the controller ${holderIdentity} works`;
    const waitedMs = this.#clock.nowMs() - this.#sinceMs;
    return waitedMs < LATE_MS
      ? ""
      : `the controller ${holderIdentity} has not been heard of for ${Math.round(waitedMs / 1000)} s`;
  }
}

async function findLink(options: UnjoinOptions): Promise<Link | undefined> {
  const { access, signal } = options;
  return await access.client.find<Link>(RESOURCES.links, keyOf(options), { signal });
}

function keyOf({ linkName }: UnjoinOptions): { namespace: string; name: string } {
  return { namespace: INSTALL_NAMESPACE, name: linkName };
}
