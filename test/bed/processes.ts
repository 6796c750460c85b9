import { spawn } from "node:child_process";
import { appendFileSync, closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "./error-code.ts";
import { HopelessError, poll, type PollOptions } from "./poll.ts";

/** A process the bed is to start. */
export interface ProcessSpec {
  /** Unique in the bed, for example `west/kube-apiserver`. */
  readonly label: string;
  /** Network namespace to enter; the root namespace by default. */
  readonly netns?: string;
  readonly argv: readonly string[];
  readonly logPath: string;
}

/** A process the bed started. The start time tells it from a later process with the same id. */
export interface ProcessRecord extends ProcessSpec {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat, in clock ticks since boot. */
  readonly startTime: string;
}

/** What tests may do to one of the bed's processes. */
export interface ProcessControl {
  readonly label: string;
  readonly logPath: string;
  isRunning(): boolean;
  /** Freezes it (SIGSTOP): connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Sends the signal, SIGKILL by default, and waits until the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again with the same arguments; nothing happens if it runs. */
  start(): void;
}

const stopTimeoutMs = 60_000;

/** The start time of a live process, in clock ticks since boot; undefined when there is none or it is a zombie. */
export function startTimeOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The name, in parentheses, may hold spaces and parentheses itself; the state is the first field after it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

/** Whether the recorded process, and not another with its id, is running. */
export function isAlive(record: Pick<ProcessRecord, "pid" | "startTime">): boolean {
  return startTimeOf(record.pid) === record.startTime;
}

/** Signals the recorded process if it still runs. */
export function signalProcess(
  record: Pick<ProcessRecord, "pid" | "startTime">,
  signal: NodeJS.Signals,
): void {
  if (!isAlive(record)) return;
  try {
    process.kill(record.pid, signal);
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}

function recordsPath(folder: string): string {
  return join(folder, "processes.jsonl");
}

/** All processes started in a bed's folder, the latest of each label, in the order they were started. */
export function readRecords(folder: string): ProcessRecord[] {
  let text: string;
  try {
    text = readFileSync(recordsPath(folder), "utf8");
  } catch {
    return [];
  }
  const latest = new Map<string, ProcessRecord>();
  for (const line of text.split("\n")) {
    // The last line is torn when its writer was killed.
    if (!line.endsWith("}")) continue;
    const record: ProcessRecord = JSON.parse(line);
    latest.set(record.label, record);
  }
  return [...latest.values()];
}

/**
 * Starts a process in a session of its own, so that Ctrl-C does not reach it, and records it in the bed's folder.
 * @throws Error if it cannot be started.
 */
export function startProcess(folder: string, spec: ProcessSpec): ProcessRecord {
  // nsenter and not "ip netns exec": the latter remounts /sys and hides the cgroups.
  const argv = spec.netns ? ["nsenter", `--net=/run/netns/${spec.netns}`, ...spec.argv] : spec.argv;
  const [command = "", ...args] = argv;
  const log = openSync(spec.logPath, "a");
  try {
    const child = spawn(command, args, {
      cwd: folder,
      detached: true,
      // Memory is plenty here and CPU is not: Go collects garbage a quarter as often.
      env: { ...process.env, GOGC: "400" },
      stdio: ["ignore", log, log],
    });
    child.once("error", () => {});
    if (child.pid === undefined)
      throw new Error(`cannot start ${spec.label}: ${command} not found`);
    child.unref();
    const record: ProcessRecord = {
      ...spec,
      pid: child.pid,
      startTime: startTimeOf(child.pid) ?? "",
    };
    appendFileSync(recordsPath(folder), `${JSON.stringify(record)}\n`);
    return record;
  } finally {
    closeSync(log);
  }
}

/** The last lines of a log, for an error message. */
export function logTail(path: string, maxLines = 12): string {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-maxLines).join("\n");
  } catch {
    return "(no log)";
  }
}

/**
 * Like poll, for something that needs processes of the bed.
 * @throws Error at once, with the end of its log, if one of them has ended.
 */
export function pollWhileAlive<T>(
  awaited: string,
  needed: readonly ProcessRecord[],
  attempt: () => Promise<T | undefined | false>,
  options: PollOptions,
): Promise<T> {
  const attemptIfAlive = () => {
    const ended = needed.find((record) => !isAlive(record));
    if (!ended) return attempt();
    throw new HopelessError(
      `${ended.label} has ended; its log closes with:\n${logTail(ended.logPath)}`,
    );
  };
  return poll(awaited, attemptIfAlive, options);
}

/**
 * Control over one process of the bed, found by its label each time, so that it follows restarts.
 * @throws Error if no process of that label was ever started.
 */
export function processControl(folder: string, label: string): ProcessControl {
  const find = (): ProcessRecord => {
    const record = readRecords(folder).find((candidate) => candidate.label === label);
    if (!record) throw new Error(`the bed has no process ${label}`);
    return record;
  };
  return {
    label,
    logPath: find().logPath,
    isRunning: () => isAlive(find()),
    pause: () => signalProcess(find(), "SIGSTOP"),
    resume: () => signalProcess(find(), "SIGCONT"),
    async stop(signal = "SIGKILL") {
      const record = find();
      signalProcess(record, signal);
      await poll(`${label} ends`, () => !isAlive(record), { timeoutMs: stopTimeoutMs });
    },
    start() {
      const { label: _label, pid: _pid, startTime: _startTime, ...spec } = find();
      if (!isAlive(find())) startProcess(folder, { label, ...spec });
    },
  };
}
