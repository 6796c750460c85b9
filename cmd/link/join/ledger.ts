import type { Clock } from "../../../api/clock.ts";
import { CLI_FIELD_MANAGER } from "../../../api/names.ts";
import { errorMessage } from "../../../api/errors.ts";
import { type KubeObject, keyOf } from "../../../api/objects.ts";
import type { Resource } from "../../../api/resources.ts";
import { resourcePath } from "../../../kube/client/resource-path.ts";
import { CliError } from "../cli-error.ts";
import type { ClusterAccess } from "../cluster-access.ts";
import { isMadeByLink } from "../owned-labels.ts";
import type { Reporter } from "../reporter.ts";
import { type Sighting, waitUntil } from "../wait-until.ts";

const REMOVAL_TIMEOUT_MS = 30_000;

interface Entry {
  readonly access: ClusterAccess;
  readonly resource: Resource;
  readonly after: KubeObject;
  /** The object as it was; undefined when we made it. */
  readonly before: KubeObject | undefined;
}

/** Everything a join has written, so that a failed one can be taken back. */
export class Ledger {
  readonly #entries: Entry[] = [];

  /**
   * Applies an object and writes down what was there before.
   * @throws CliError when an object of that name exists that `link join` did not make.
   */
  async apply<T extends KubeObject>(
    access: ClusterAccess,
    resource: Resource,
    object: T,
    signal: AbortSignal,
  ): Promise<T> {
    const before = await findMadeByLink<T>(access, resource, object, signal);
    // Without the signal: an interrupted write may have happened, and has to be in the ledger.
    const after = await access.client.apply<T>(resource, object, {
      fieldManager: CLI_FIELD_MANAGER,
      // The controller renews tokens and bundles in these objects and so owns fields of them.
      force: true,
    });
    this.#entries.push({ access, resource, after, before });
    return after;
  }

  /** What was made and what was changed, in words. */
  describe(): string[] {
    return this.#entries.map(({ access, resource, after, before }) => {
      const what = before === undefined ? "made" : "updated";
      return `${what} ${titleOf(resource, after)} (context ${access.contextName})`;
    });
  }

  /**
   * Takes everything back, the newest first: what was made is deleted, what was
   * changed is put back as it was.
   * @returns whether nothing is left; what is left is reported with its error.
   */
  async undo(reporter: Reporter, clock: Clock): Promise<boolean> {
    let complete = true;
    for (const entry of this.#entries.toReversed()) {
      const title = `${titleOf(entry.resource, entry.after)} (context ${entry.access.contextName})`;
      try {
        await undoOne(entry, clock);
        reporter.info(`${entry.before === undefined ? "removed" : "restored"} ${title}`);
      } catch (error) {
        complete = false;
        reporter.warn(`${title} could not be taken back: ${errorMessage(error)}`);
      }
    }
    return complete;
  }
}

/**
 * The object of that name, if there is one.
 * @throws CliError when `link join` did not make it.
 */
export async function findMadeByLink<T extends KubeObject>(
  access: ClusterAccess,
  resource: Resource,
  { metadata }: KubeObject,
  signal: AbortSignal,
): Promise<T | undefined> {
  const found = await access.client.find<T>(resource, metadata, { signal });
  if (found === undefined || isMadeByLink(found)) return found;
  throw new CliError(
    `context ${access.contextName}: ${titleOf(resource, found)} exists and was not made by link join`,
    { fix: "delete or rename it; it is left as it is" },
  );
}

async function undoOne({ access, resource, after, before }: Entry, clock: Clock): Promise<void> {
  const { uid } = after.metadata;
  if (before === undefined) {
    // Someone who deleted and remade it since then owns the new one: the uid tells.
    await access.client.remove(resource, after.metadata, uid === undefined ? {} : { uid });
    await waitUntilGone(access, resource, after, clock);
    return;
  }
  if (before.metadata.resourceVersion === after.metadata.resourceVersion) return;
  const { resourceVersion: _stale, ...metadata } = before.metadata;
  await access.client.request({
    method: "PUT",
    path: resourcePath(resource, before.metadata),
    body: { ...before, metadata },
  });
}

/** A Link goes when the controller has removed its mirrors; the others go at once. */
async function waitUntilGone(
  { client }: ClusterAccess,
  resource: Resource,
  object: KubeObject,
  clock: Clock,
): Promise<void> {
  const look = async (): Promise<Sighting<true>> => {
    const found = await client.find(resource, object.metadata);
    return found === undefined || found.metadata.uid !== object.metadata.uid
      ? { found: true }
      : {
          missing: `it is still there, with finalizers ${found.metadata.finalizers?.join(", ") ?? "none"}`,
        };
  };
  // A Ctrl-C brought us here: another one ends the process.
  const { signal } = new AbortController();
  await waitUntil("removal", look, { clock, signal, timeoutMs: REMOVAL_TIMEOUT_MS });
}

function titleOf(resource: Resource, object: KubeObject): string {
  return `${resource.kind} ${keyOf(object)}`;
}
