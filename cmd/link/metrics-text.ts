/** One series of a scrape. */
interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

type Labels = Readonly<Record<string, string>>;

const LINE = /^(?<name>[a-zA-Z_:][\w:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)(?: \d+)?$/;
const LABEL = /(?<name>[a-zA-Z_]\w*)="(?<value>(?:[^"\\]|\\.)*)",?/g;

/**
 * What a process shows at `/metrics`, in the Prometheus text format.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export class Metrics {
  readonly #samples: readonly Sample[];

  /** @param text lines that are no series are left out */
  constructor(text: string) {
    this.#samples = text.split("\n").flatMap((line) => readSample(line) ?? []);
  }

  /** Sum of all series of a name with these labels, whatever others they have; undefined without any. */
  sum(name: string, labels: Labels = {}): number | undefined {
    const samples = this.#of(name, labels);
    return samples.length === 0 ? undefined : samples.reduce((sum, { value }) => sum + value, 0);
  }

  /** The values that a label has among the series of a name with these labels, sorted. */
  labelValues(name: string, label: string, labels: Labels = {}): string[] {
    const values = this.#of(name, labels).flatMap((sample) => sample.labels[label] ?? []);
    return [...new Set(values)].toSorted();
  }

  /**
   * Quantile of a histogram over all of its series with these labels, as
   * Prometheus estimates it: within a bucket values are taken as spread evenly.
   * @param quantile from 0 to 1
   * @returns undefined when nothing was observed; the largest bound when it is above that
   */
  quantile(name: string, quantile: number, labels: Labels = {}): number | undefined {
    const counts = new Map<number, number>();
    for (const sample of this.#of(`${name}_bucket`, labels)) {
      const bound = readNumber(sample.labels["le"] ?? "");
      counts.set(bound, (counts.get(bound) ?? 0) + sample.value);
    }
    const buckets = [...counts].toSorted(([left], [right]) => left - right);
    const rank = quantile * (buckets.at(-1)?.[1] ?? 0);
    if (rank === 0) return undefined;
    let [below, countBelow] = [0, 0];
    for (const [bound, count] of buckets) {
      if (bound === Infinity) break;
      if (count >= rank) {
        return below + (bound - below) * ((rank - countBelow) / (count - countBelow));
      }
      [below, countBelow] = [bound, count];
    }
    return below;
  }

  #of(name: string, labels: Labels): Sample[] {
    const wanted = Object.entries(labels);
    return this.#samples.filter(
      (sample) =>
        sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }
}

function readSample(line: string): Sample | undefined {
  const { name, labels = "", value } = LINE.exec(line)?.groups ?? {};
  if (name === undefined || value === undefined) return undefined;
  const pairs = [...labels.matchAll(LABEL)].map(({ groups = {} }) => [
    groups["name"] ?? "",
    unescape(groups["value"] ?? ""),
  ]);
  return { name, labels: Object.fromEntries(pairs), value: readNumber(value) };
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, character: string) =>
    character === "n" ? "\n" : character,
  );
}

function readNumber(text: string): number {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}
