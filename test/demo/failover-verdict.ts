import {
  begunIn,
  failuresIn,
  type Gap,
  longestGap,
  type RequestRecord,
  type Span,
} from "../workload/request-record.ts";

/** A stretch of the story, with who may answer in it. */
export interface Phase extends Span {
  readonly name: string;
  /** `handover`: from what changed until the answers were steady again. */
  readonly kind: "steady" | "handover";
  readonly mayAnswer: readonly string[];
  /** Whether requests may fail, as they do when a server is killed before anybody can know. */
  readonly mayFail: boolean;
}

/** What the clients saw. */
export interface Verdict {
  readonly requests: number;
  readonly failed: number;
  readonly longest: Gap;
  /** What ought not to have been; empty when all was well. */
  readonly wrong: readonly string[];
}

/** Judges each request by the phase in which it was begun. */
export function judge(phases: readonly Phase[], records: readonly RequestRecord[]): Verdict {
  const whole = {
    fromMs: Math.min(...phases.map(({ fromMs }) => fromMs)),
    toMs: Math.max(...phases.map(({ toMs }) => toMs)),
  };
  return {
    requests: begunIn(records, whole).length,
    failed: failuresIn(records, whole).length,
    longest: longestGap(records, whole),
    wrong: phases.flatMap((phase) => wrongIn(phase, records)),
  };
}

function wrongIn(phase: Phase, records: readonly RequestRecord[]): string[] {
  const { name, mayAnswer, mayFail } = phase;
  const begun = begunIn(records, phase);
  const failures = failuresIn(records, phase);
  const answers = begun.flatMap(({ cluster }) => cluster ?? []);
  const strangers = answers.filter((cluster) => !mayAnswer.includes(cluster));
  return [
    ...(answers.length === 0 ? [`${name}: nothing was answered`] : []),
    ...(strangers.length === 0
      ? []
      : [`${name}: ${strangers.length} of ${answers.length} answers came from ${list(strangers)}`]),
    ...(mayFail || failures.length === 0
      ? []
      : [
          `${name}: ${failures.length} of ${begun.length} requests failed: ${list(failures.flatMap(({ failure }) => failure ?? []))}`,
        ]),
  ];
}

function list(names: readonly string[]): string {
  return [...new Set(names)].join(", ");
}
