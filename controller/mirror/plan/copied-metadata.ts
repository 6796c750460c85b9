/** What of the source's labels and annotations a mirror takes over. */

const MAX_LABELS_CHARS = 8 * 1024;
/** The API server allows 256 KiB of annotations; the rest of it is for others. */
const MAX_ANNOTATIONS_CHARS = 32 * 1024;

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Domains whose keys mean something to Kubernetes or to us, and must not mean it twice. */
const RESERVED_DOMAINS = ["kubernetes.io", "k8s.io", "isthmus.dev"];
/** Deployment tools take what carries their keys for objects they manage, and prune it. */
const DEPLOYMENT_DOMAINS = ["helm.sh", "argoproj.io", "fluxcd.io"];

/** Labels that a mirror copies: valid ones of no reserved domain, within a total size. */
export function copyLabels(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  return bounded(labels, MAX_LABELS_CHARS, (value) => LABEL_VALUE.test(value));
}

/** Annotations that a mirror copies: those of no reserved domain, within a total size. */
export function copyAnnotations(
  annotations: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return bounded(annotations, MAX_ANNOTATIONS_CHARS, () => true);
}

/** In the order of keys, so that the same source always yields the same copy. */
function bounded(
  source: Readonly<Record<string, string>>,
  maxChars: number,
  isValid: (value: string) => boolean,
): Record<string, string> {
  let chars = 0;
  return Object.fromEntries(
    Object.entries(source)
      .filter(([key, value]) => mayCopy(key) && typeof value === "string" && isValid(value))
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .filter(([key, value]) => {
        const fits = chars + key.length + value.length <= maxChars;
        if (fits) chars += key.length + value.length;
        return fits;
      }),
  );
}

function mayCopy(key: string): boolean {
  const parts = key.split("/");
  if (parts.length === 1) return NAME.test(key);
  const [prefix = "", name = ""] = parts;
  return (
    parts.length === 2 &&
    NAME.test(name) &&
    PREFIX.test(prefix) &&
    ![...RESERVED_DOMAINS, ...DEPLOYMENT_DOMAINS].some(
      (domain) => prefix === domain || prefix.endsWith(`.${domain}`),
    )
  );
}
