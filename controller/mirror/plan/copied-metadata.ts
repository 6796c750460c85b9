import { isDnsLabel } from "../../../api/names-schema.ts";

/** What of the source's labels and annotations a mirror takes over. */

const MAX_LABELS_BYTES = 8 * 1024;
/** The API server allows 256 KiB of annotations; the rest of it is for others. */
const MAX_ANNOTATIONS_BYTES = 32 * 1024;

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const MAX_PREFIX_CHARS = 253;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Domains whose keys mean something to Kubernetes or to us, and must not mean it twice. */
const RESERVED_DOMAINS = ["kubernetes.io", "k8s.io", "isthmus.dev"];
/** Deployment tools take what carries their keys for objects they manage, and prune it. */
const DEPLOYMENT_DOMAINS = ["helm.sh", "argoproj.io", "fluxcd.io"];

type Values = Readonly<Record<string, string>>;

/** What a mirror takes over of its source's labels or annotations. */
export interface Copied {
  readonly values: Record<string, string>;
  /** How many were left out for their size alone. */
  readonly omitted: number;
}

/** Labels that a mirror copies: valid ones of no reserved domain, within a total size. */
export function copyLabels(labels: Values = {}): Copied {
  return bounded(labels, MAX_LABELS_BYTES, (value) => LABEL_VALUE.test(value));
}

/** Annotations that a mirror copies: those of no reserved domain, within a total size. */
export function copyAnnotations(annotations: Values = {}): Copied {
  // Half a surrogate pair would come back changed, and be written again and again.
  return bounded(annotations, MAX_ANNOTATIONS_BYTES, (value) => value.isWellFormed());
}

/** In the order of keys, so that the same source always yields the same copy. */
function bounded(source: Values, maxBytes: number, isValid: (value: string) => boolean): Copied {
  const eligible = Object.entries(source)
    .filter(([key, value]) => mayCopy(key) && typeof value === "string" && isValid(value))
    .toSorted(([left], [right]) => (left < right ? -1 : 1));
  let bytes = 0;
  const kept = eligible.filter(([key, value]) => {
    const more = key.length + Buffer.byteLength(value);
    const fits = bytes + more <= maxBytes;
    if (fits) bytes += more;
    return fits;
  });
  return { values: Object.fromEntries(kept), omitted: eligible.length - kept.length };
}

function mayCopy(key: string): boolean {
  const parts = key.split("/");
  if (parts.length === 1) return NAME.test(key);
  const [prefix = "", name = ""] = parts;
  return (
    parts.length === 2 &&
    NAME.test(name) &&
    prefix.length <= MAX_PREFIX_CHARS &&
    prefix.split(".").every(isDnsLabel) &&
    ![...RESERVED_DOMAINS, ...DEPLOYMENT_DOMAINS].some(
      (domain) => prefix === domain || prefix.endsWith(`.${domain}`),
    )
  );
}
