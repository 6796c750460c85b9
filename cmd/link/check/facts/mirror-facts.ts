import type { Link } from "../../../../api/link.ts";
import { INSTALL_NAMESPACE } from "../../../../api/names.ts";
import type { Service } from "../../../../api/objects.ts";
import { isOurs } from "../../../../api/ownership.ts";
import { RESOURCES } from "../../../../api/resources.ts";
import type { ClusterAccess } from "../../cluster-access.ts";
import { listAll } from "../../list-all.ts";
import { linkReport } from "../../status/link-report.ts";
import { mirrorReport, mirrorSelector } from "../../status/mirrors.ts";
import type { SkippedService } from "../../status/report.ts";
import { skippedServices } from "../../status/skipped.ts";
import { type Fact, lookUp } from "../fact.ts";

/** The mirrors of a cluster, and what has none. */
export interface MirrorFacts {
  readonly mirrors: Fact<readonly Service[]>;
  readonly skipped: Fact<readonly SkippedService[]>;
}

/** Reads every mirror of a cluster, and from Events why other exported Services have none. */
export async function gatherMirrors(
  access: ClusterAccess,
  links: readonly Link[],
  signal: AbortSignal,
): Promise<MirrorFacts> {
  const mirrors = await lookUp(signal, async (limited) => {
    const query = { labelSelector: mirrorSelector(), signal: limited };
    return (await listAll<Service>(access, RESOURCES.services, query)).filter(isOurs);
  });
  if ("unknown" in mirrors) return { mirrors, skipped: mirrors };
  const skipped = await lookUp(signal, async (limited) => {
    const query = { namespace: INSTALL_NAMESPACE, signal: limited };
    const events = await listAll(access, RESOURCES.events, query);
    return skippedServices(events, links.map(linkReport), mirrors.value.map(mirrorReport));
  });
  return { mirrors, skipped };
}
