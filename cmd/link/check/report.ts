/** Every check by its stable id: what it looks at, in a few words. docs/troubleshooting.md has a section for each. */
export const CHECKS = {
  "kube-api": "the API server answers",
  "kube-version": "the Kubernetes version is one that Isthmus runs on",
  "api-groups": "the API groups that Isthmus uses are served",
  "install-rights": "you may make everything that is installed",
  "namespace-free": "namespace isthmus-system can be used",
  "crds-free": "nobody else has the names of the CustomResourceDefinitions",
  "node-platform": "there is a node that can run the image",
  installed: "Isthmus is installed and has published who this cluster is",
  "isthmus-version": "this program and what runs are of one version",
  "crds-served": "Links and Peers are served",
  "rbac-controller": "the controller's account may do what it has to",
  "rbac-gateway": "the gateways' account may do what it has to",
  "rbac-link": "the account of a linked consumer may do what it has to",
  "controller-ready": "the controller runs",
  "gateway-ready": "the gateways run",
  "controller-leader": "one controller leads",
  "gateway-address": "the gateways have an address that other clusters can use",
  "clock-skew": "clocks agree",
  "certificate-chain": "certificates are signed by who vouches for them",
  "certificate-expiry": "certificates are renewed in time",
  "token-expiry": "the tokens of links are renewed in time",
  "peer-trust": "the provider knows this cluster by the certificates it has now",
  "link-conditions": "the conditions of a Link are True",
  "gateway-reachable": "the provider's gateway answers pods of this cluster",
  "path-mtu": "the path to the provider's gateway lets large packets through",
  "name-collisions": "no two Services want one mirror",
  "services-skipped": "every exported Service has its mirror",
  "mirrors-outside": "no mirror is outside the namespaces that may be used",
  "egress-ports": "egress ports are left",
  "end-to-end": "a Service of the provider answers in this cluster",
} as const;

export type CheckId = keyof typeof CHECKS;

const RESULTS = ["ok", "warn", "fail", "skip"] as const;

/** `skip`: it was not looked at, and nothing is known. */
export type Result = (typeof RESULTS)[number];

/** What one check found of one thing. */
export interface Finding {
  readonly id: CheckId;
  /** The thing: a cluster, a Link, an account, an address. */
  readonly about: string;
  readonly result: Result;
  /** What was seen. */
  readonly message: string;
  /** What mends it: a command or a sentence. */
  readonly fix?: string | undefined;
}

/** A finding as it is printed. */
export interface CheckEntry extends Finding {
  /** What is looked at. */
  readonly title: string;
  /** Where the docs speak of it. */
  readonly docs: string;
}

/** Everything `link check` found. */
export interface CheckReport {
  readonly checks: readonly CheckEntry[];
  /** How many there are of each result. */
  readonly summary: Readonly<Record<Result, number>>;
}

/** Findings as a report, in the order in which checks build on each other. */
export function reportOf(findings: readonly Finding[]): CheckReport {
  const order = Object.keys(CHECKS);
  const checks = findings
    .toSorted((one, other) => order.indexOf(one.id) - order.indexOf(other.id))
    .map((finding) => ({
      ...finding,
      title: CHECKS[finding.id],
      docs: `docs/troubleshooting.md#${finding.id}`,
    }));
  const summary = { ok: 0, warn: 0, fail: 0, skip: 0 };
  for (const { result } of checks) summary[result] += 1;
  return { checks, summary };
}

/** A check's findings are made with these: `about` and the id are given once. */
export function findingsOf(id: CheckId, about: string) {
  return {
    ok: (message: string): Finding => ({ id, about, result: "ok", message }),
    warn: (message: string, fix?: string): Finding => ({ id, about, result: "warn", message, fix }),
    fail: (message: string, fix?: string): Finding => ({ id, about, result: "fail", message, fix }),
    skip: (message: string): Finding => ({ id, about, result: "skip", message }),
  };
}
