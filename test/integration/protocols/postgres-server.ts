import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { runOk } from "../../bed/command.ts";
import { type RealProcess, type RealServer, launchServer } from "./real-process.ts";

const VERSIONS = "/usr/lib/postgresql";
/** PostgreSQL refuses to run as root. */
const AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"];
/** Its data is thrown away: nothing has to survive a crash. */
const THROWN_AWAY = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"];

/** Path of one of PostgreSQL's own programs, of the newest version that is installed. */
export async function postgresProgram(name: string): Promise<string> {
  const versions = (await readdir(VERSIONS)).map(Number).filter(Number.isInteger);
  return path.join(VERSIONS, String(Math.max(...versions)), "bin", name);
}

/** A PostgreSQL server of its own, in a folder that goes with it. */
export class PostgresServer implements RealServer {
  readonly process: RealProcess;
  readonly port: number;
  /** For what a test has to put into a file. */
  readonly folder: string;

  private constructor({ process, port }: RealServer, folder: string) {
    this.process = process;
    this.port = port;
    this.folder = folder;
  }

  /** Makes a database cluster and serves it on a free port of loopback. */
  static async start(): Promise<PostgresServer> {
    const folder = await mkdtemp(path.join(tmpdir(), "isthmus-postgres-"));
    await runOk(["chown", "postgres:postgres", folder]);
    const [initdb, postgres] = [await postgresProgram("initdb"), await postgresProgram("postgres")];
    const data = path.join(folder, "data");
    await runOk([
      ...AS_POSTGRES,
      initdb,
      `--pgdata=${data}`,
      "--auth=trust",
      "--no-sync",
      "--encoding=UTF8",
      "--locale=C",
    ]);
    const settings = [...THROWN_AWAY, "listen_addresses=127.0.0.1", "unix_socket_directories="];
    const server = await launchServer((port) => [
      ...AS_POSTGRES,
      postgres,
      "-D",
      data,
      "-p",
      String(port),
      ...settings.flatMap((setting) => ["-c", setting]),
    ]);
    return new PostgresServer(server, folder);
  }

  /** Ends it at once (PostgreSQL calls SIGQUIT its immediate shutdown), and removes its data. */
  async stop(): Promise<void> {
    await this.process.stop("SIGQUIT");
    await rm(this.folder, { recursive: true });
  }
}

/** Arguments of psql for a server at this port of loopback; it stops at the first error. */
export function psql(port: number, ...args: string[]): string[] {
  const target = `host=127.0.0.1 port=${port} user=postgres dbname=postgres sslmode=disable`;
  return ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", target, ...args];
}
