import { quantile } from "../statistics.ts";

/** A mirror that the consumer has, or should have. */
export interface MirrorFact {
  /** `namespace/name` of the mirror. */
  readonly key: string;
  /** `cluster/namespace/name` of its source. */
  readonly source: string;
}

/** A mirror as it is at the end. */
export interface FoundMirror extends MirrorFact {
  readonly state: string;
  readonly egressPorts: readonly number[];
}

/** Mirrors that are missing, extra, of another source or not open. */
export function judgeMirrors(
  expected: readonly MirrorFact[],
  found: readonly FoundMirror[],
): string[] {
  const byKey = new Map(found.map((mirror) => [mirror.key, mirror]));
  const wanted = new Set(expected.map(({ key }) => key));
  const missing = expected.flatMap(({ key, source }) => {
    const mirror = byKey.get(key);
    if (mirror === undefined) return [`mirror ${key} of ${source} is missing`];
    if (mirror.source !== source) return [`mirror ${key} is of ${mirror.source}, not of ${source}`];
    return mirror.state === "open" ? [] : [`mirror ${key} is ${mirror.state}`];
  });
  const extra = found
    .filter(({ key }) => !wanted.has(key))
    .map(({ key, source }) => `mirror ${key} of ${source} is one too many`);
  return [...missing, ...extra];
}

/** Ports on which a gateway listens although no open mirror has them, or the other way round. */
export function judgeListeners(
  mirrors: readonly FoundMirror[],
  listening: ReadonlyMap<string, readonly number[]>,
): string[] {
  const open = mirrors.filter(({ state }) => state === "open");
  const wanted = new Set(open.flatMap(({ egressPorts }) => egressPorts));
  return [...listening].flatMap(([gateway, ports]) => [
    ...ports
      .filter((port) => !wanted.has(port))
      .map((port) => `${gateway} listens on ${port}, which no open mirror has`),
    ...[...wanted]
      .filter((port) => !ports.includes(port))
      .map((port) => `${gateway} does not listen on ${port} of an open mirror`),
  ]);
}

/** Objects of others that were changed, removed or made anew: resource versions by name of the object. */
export function judgeBystanders(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string[] {
  return [...before].flatMap(([object, version]) => {
    const now = after.get(object);
    if (now === version) return [];
    return now === undefined
      ? [`${object} of somebody else is gone`]
      : [`${object} of somebody else went from version ${version} to ${now}`];
  });
}

/** What the processes of one component in one cluster hold, all its replicas together. */
export interface Holdings {
  readonly processes: number;
  readonly sockets: number;
  readonly fileDescriptors: number;
}

/** Clients keep a few idle connections, whose number depends on what was asked last. */
const SPARE_SOCKETS_PER_PROCESS = 12;

/** Processes, sockets and file descriptors that a component has gained. */
export function judgeHoldings(
  before: ReadonlyMap<string, Holdings>,
  after: ReadonlyMap<string, Holdings>,
): string[] {
  return [...before].flatMap(([component, was]) => {
    const is = after.get(component) ?? { processes: 0, sockets: 0, fileDescriptors: 0 };
    const spare = SPARE_SOCKETS_PER_PROCESS * was.processes;
    return [
      ...(is.processes === was.processes
        ? []
        : [`${component} had ${was.processes} processes and has ${is.processes}`]),
      ...(is.sockets <= was.sockets + spare
        ? []
        : [`${component} had ${was.sockets} sockets and has ${is.sockets}`]),
      ...(is.fileDescriptors <= was.fileDescriptors + spare
        ? []
        : [`${component} had ${was.fileDescriptors} descriptors and has ${is.fileDescriptors}`]),
    ];
  });
}

/** Memory of one process at one time. */
export interface MemorySample {
  readonly atMs: number;
  readonly component: string;
  readonly pid: number;
  readonly rssMib: number;
}

/** Memory of a component over a run: the mean of its processes. */
export interface MemoryTrend {
  readonly component: string;
  /** Medians of the first and of the last fifth of the run. */
  readonly startMib: number;
  readonly endMib: number;
  readonly maxMib: number;
  /** By least squares; a process that was replaced starts anew, which pulls it down. */
  readonly slopeMibPerMinute: number;
}

/** A heap that V8 has not yet had a reason to shrink may look like this much. */
const MEMORY_ALLOWANCE_MIB = 64;

/** How each component's memory went. */
export function memoryTrends(samples: readonly MemorySample[]): MemoryTrend[] {
  return [...Map.groupBy(samples, ({ component }) => component)].map(([component, all]) => {
    const means = [...Map.groupBy(all, ({ atMs }) => atMs)]
      .map(([atMs, each]) => ({ atMs, mib: mean(each.map(({ rssMib }) => rssMib)) }))
      .toSorted((one, other) => one.atMs - other.atMs);
    const fifth = Math.max(1, Math.floor(means.length / 5));
    const mibs = means.map(({ mib }) => mib);
    return {
      component,
      startMib: quantile(mibs.slice(0, fifth), 0.5),
      endMib: quantile(mibs.slice(-fifth), 0.5),
      maxMib: Math.max(...mibs),
      slopeMibPerMinute: slope(means.map(({ atMs, mib }) => [atMs / 60_000, mib])),
    };
  });
}

/** Components that ended with more memory than they began with and the allowance. */
export function judgeMemory(trends: readonly MemoryTrend[]): string[] {
  return trends
    .filter(({ startMib, endMib }) => endMib > startMib + MEMORY_ALLOWANCE_MIB)
    .map(
      ({ component, startMib, endMib }) =>
        `${component} grew from ${Math.round(startMib)} to ${Math.round(endMib)} MiB`,
    );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function slope(points: readonly (readonly [number, number])[]): number {
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const below = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return below === 0 ? 0 : above / below;
}

/** A container of ours that ended by itself or by force. */
export interface Termination {
  readonly cluster: string;
  readonly pod: string;
  readonly component: "controller" | "gateway";
  readonly exitCode: number;
  readonly reason: string;
  readonly atMs: number;
}

/** When a component's processes in a cluster may end: a fault killed them, or took the Lease from them. */
export interface Licence {
  readonly cluster: string;
  readonly component: Termination["component"];
  readonly fromMs: number;
  readonly toMs: number;
}

/** Kubernetes tells whole seconds. */
const TIME_GRAIN_MS = 1000;

/** Containers that ended with a failure nobody caused. */
export function judgeTerminations(
  terminations: readonly Termination[],
  licences: readonly Licence[],
): string[] {
  return terminations
    .filter(({ exitCode }) => exitCode !== 0)
    .filter(
      ({ cluster, component, atMs }) =>
        !licences.some(
          (licence) =>
            licence.cluster === cluster &&
            licence.component === component &&
            atMs >= licence.fromMs - TIME_GRAIN_MS &&
            atMs <= licence.toMs + TIME_GRAIN_MS,
        ),
    )
    .map(
      ({ cluster, pod, exitCode, reason, atMs }) =>
        `${cluster}: ${pod} ended by itself with ${exitCode} (${reason}) at ${new Date(atMs).toISOString()}`,
    );
}
