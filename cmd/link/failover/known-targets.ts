import type { Link } from "../../../api/link.ts";
import { LABELS } from "../../../api/names.ts";
import type { Service } from "../../../api/objects.ts";
import { formatSource, isOurs, type Source, sourceOf } from "../../../api/ownership.ts";
import { type Finding, isReason } from "../../../api/reasons.ts";
import type { TargetFacts, TargetLink } from "../../../controller/failover/plan/targets.ts";
import type { SkippedService } from "../status/report.ts";
import { linkReport } from "../status/link-report.ts";

/** What this cluster has of others' Services: Links to clusters, and mirrors. */
export class KnownTargets {
  readonly #links = new Map<string, TargetLink>();
  /** By Link and source. */
  readonly #mirrors = new Map<string, Service>();
  readonly #skips = new Map<string, Finding>();

  /** @param mirrors Services that may be mirrors: what is not ours is left out */
  constructor(links: readonly Link[], mirrors: readonly Service[]) {
    for (const link of links) {
      if (link.metadata.deletionTimestamp !== undefined) continue;
      const { name, cluster, ready } = linkReport(link);
      const open = ready === "True";
      // Of two Links to one cluster the one that has mirrors counts, as for the controller.
      if (open || !this.#links.has(cluster)) this.#links.set(cluster, { name, open });
    }
    for (const mirror of mirrors.filter(isOurs).toSorted(byAge)) {
      const source = sourceOf(mirror);
      if (source === undefined) continue;
      const key = idOf(mirror.metadata.labels?.[LABELS.link] ?? "", formatSource(source));
      if (!this.#mirrors.has(key)) this.#mirrors.set(key, mirror);
    }
  }

  /** Takes in why Services that are exported to this cluster have no mirror. */
  learn(skipped: readonly SkippedService[]): void {
    for (const { link, source, reason, message } of skipped) {
      if (isReason(reason)) this.#skips.set(idOf(link, source), { reason, message });
    }
  }

  factsOf(source: Source): TargetFacts {
    const link = this.#links.get(source.cluster);
    const id = idOf(link?.name ?? "", formatSource(source));
    return {
      source,
      link,
      mirror: link && this.#mirrors.get(id),
      whyNoMirror: this.#skips.get(id),
    };
  }
}

function idOf(link: string, source: string): string {
  return `${link} ${source}`;
}

/** Of two mirrors the older counts, as for the controller. */
function byAge(left: Service, right: Service): number {
  return ageKey(left) < ageKey(right) ? -1 : 1;
}

function ageKey({ metadata }: Service): string {
  return `${metadata.creationTimestamp ?? ""} ${metadata.name}`;
}
