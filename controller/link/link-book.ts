import type { Verdict } from "../../api/conditions.ts";
import { TerminalError } from "../../api/errors.ts";
import { clusterNameOf, type Link, type LinkSpec, parseLinkSpec } from "../../api/link.ts";
import { REASONS } from "../../api/reasons.ts";
import type { LinkView, RemoteView } from "./link-view.ts";

/** The view of each link as it was last decided; before that, as its status records. */
export class LinkBook {
  readonly #find: (name: string) => Link | undefined;
  readonly #leading: () => boolean;
  readonly #views = new Map<string, LinkView>();

  /**
   * @param find the Link of a name, as the own cluster has it
   * @param leading whether what was decided here counts
   */
  constructor(find: (name: string) => Link | undefined, leading: () => boolean) {
    this.#find = find;
    this.#leading = leading;
  }

  /** The view of a Link that exists; closed in a replica that does not lead. */
  get(name: string): LinkView | undefined {
    const link = this.#find(name);
    const view = link && (this.#views.get(name) ?? recordedView(link));
    if (view === undefined || this.#leading()) return view;
    const message = "This replica of the controller does not lead.";
    return { ...view, open: false, reason: REASONS.NotLeader, message };
  }

  /**
   * Records a decision. `spec` is undefined for a link that is not acted on.
   * Says whether anything changed that mirrors depend on.
   */
  record(
    link: Link,
    spec: LinkSpec | undefined,
    verdicts: readonly Verdict[],
    remote: RemoteView | undefined,
  ): LinkView & { changed: boolean } {
    const { name } = link.metadata;
    const before = this.#views.get(name);
    const ready = verdicts.find(({ type }) => type === "Ready");
    const view = {
      ...viewOf(link, spec ?? before?.spec),
      open: ready?.status === "True",
      reason: ready?.reason ?? REASONS.NotReady,
      message: ready?.message ?? "",
      remote,
    };
    this.#views.set(name, view);
    return { ...view, changed: before === undefined || differs(before, view) };
  }

  /** Forgets a link; whether it was known. */
  forget(name: string): boolean {
    return this.#views.delete(name);
  }
}

function differs(before: LinkView, after: LinkView): boolean {
  return (
    before.open !== after.open ||
    before.reason !== after.reason ||
    before.remote !== after.remote ||
    before.deleting !== after.deleting ||
    before.metadata.uid !== after.metadata.uid ||
    before.metadata.generation !== after.metadata.generation
  );
}

function recordedView(link: Link): LinkView {
  const ready = link.status?.conditions?.find(({ type }) => type === "Ready");
  return {
    ...viewOf(link, undefined),
    open: ready?.status === "True" && link.metadata.deletionTimestamp === undefined,
    reason: ready?.reason ?? REASONS.ProbePending,
    message: ready?.message ?? "The link has not been assessed yet.",
    remote: undefined,
  };
}

function viewOf(
  link: Link,
  known: LinkSpec | undefined,
): Pick<LinkView, "name" | "metadata" | "spec" | "clusterName" | "deleting"> {
  const spec = known ?? readSpec(link);
  return {
    name: link.metadata.name,
    metadata: link.metadata,
    spec,
    clusterName: clusterNameOf(link, spec),
    deleting: link.metadata.deletionTimestamp !== undefined,
  };
}

/**
 * The spec, or one that names nothing where it cannot be read: such a Link
 * still exists, so its mirrors must not be taken for leftovers.
 */
function readSpec(link: Link): LinkSpec {
  try {
    return parseLinkSpec(link);
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    return {
      credentialsSecretRef: { name: "" },
      gateway: { identity: "" },
      trustBundle: "",
      probe: { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 3, successThreshold: 2 },
      apiStalenessSeconds: 300,
      mirror: { nameTemplate: "{service}-{cluster}", createNamespaces: false },
    };
  }
}
