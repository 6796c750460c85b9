import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { run, runOk } from "../../bed/command.ts";
import { eventually } from "../fixtures.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { PostgresServer, postgresProgram, psql } from "./postgres-server.ts";
import { startProcess } from "./real-process.ts";

/** PostgreSQL's own client and server, with both gateways between them. */

let server: PostgresServer;
let port: number;

beforeAll(async () => {
  server = await PostgresServer.start();
});

afterAll(async () => await server.stop());

beforeEach(async () => {
  ({ port } = await linkGateways([server.port]));
});

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** What a direct connection to the server, past the gateways, answers. */
async function asked(query: string): Promise<string> {
  return (await runOk(psql(server.port, "-c", query))).trim();
}

test("COPY carries 52 MB in and out again unchanged", async () => {
  // Not to be compressed on the way: no row is like another.
  const bodies = Array.from({ length: 13_000 }, () => randomBytes(3000).toString("base64"));
  const rows = bodies.map((body, index) => `${index}\t${body}\n`).join("");
  await runOk(psql(port, "-c", "create unlogged table bulk (id int, body text)"));
  await runOk(psql(port, "-c", "\\copy bulk from stdin"), { input: rows });
  expect(await asked("select count(*), sum(length(body)) from bulk")).toBe("13000|52000000");
  const copied = await runOk(psql(port, "-c", "\\copy (select * from bulk order by id) to stdout"));
  expect(sha256(copied)).toBe(sha256(rows));
});

test("an error in the middle of a COPY is told, and the connection goes on", async () => {
  const bad = Array.from({ length: 50_000 }, (_, index) => (index === 40_000 ? "x" : index));
  const { stdout, stderr, code } = await run(psql(port, "-v", "ON_ERROR_STOP=0"), {
    input: [
      "create temporary table numbers (id int);",
      "copy numbers from stdin;",
      ...bad,
      "\\.",
      "select 'rows ' || count(*) from numbers;",
      "",
    ].join("\n"),
  });
  expect(stderr).toContain('invalid input syntax for type integer: "x"');
  expect(stderr).toContain("COPY numbers, line 40001");
  expect(stdout.trim()).toBe("rows 0");
  expect(code).toBe(0);
});

test("a query is cancelled by a second connection with its key", async () => {
  const client = startProcess(psql(port, "-c", "select pg_sleep(3600)"));
  await eventually(
    async () => {
      const active =
        "select count(*) from pg_stat_activity where state = 'active' and query like '%(3600)'";
      expect(await asked(active)).toBe("1");
    },
    { describe: "the query runs" },
  );
  client.signal("SIGINT");
  expect(await client.ended()).toBe(1);
  expect(client.stderr).toContain("canceling statement due to user request");
});

test("what the server says unasked arrives: a notification, and the end of the session", async () => {
  const client = startProcess(psql(port));
  await client.write("listen news;\nselect 'process ' || pg_backend_pid();\n");
  const pid = await eventually(
    () => {
      const [, found] = /^process (\d+)$/m.exec(client.stdout) ?? [];
      if (found === undefined) throw new Error(client.stderr || "nothing printed");
      return found;
    },
    { describe: "psql is connected" },
  );
  await asked("notify news, 'extra'");
  await client.write("select 1;\n");
  await eventually(() => expect(client.stdout).toContain('notification "news"'), {
    describe: "the notification",
  });
  await asked(`select pg_terminate_backend(${pid})`);
  await client.write("select 2;\n");
  client.endInput();
  expect(await client.ended()).toBe(2);
  expect(client.stderr).toContain("terminating connection due to administrator command");
});

test("200 short connections, 8 at a time, are all served", async () => {
  const script = path.join(server.folder, "script.sql");
  await writeFile(script, "select 1;\n");
  const load = ["--no-vacuum", "--connect", "--client=8", "--transactions=25", `--file=${script}`];
  const target = ["--host=127.0.0.1", `--port=${port}`, "--username=postgres", "postgres"];
  const printed = await runOk([await postgresProgram("pgbench"), ...load, ...target]);
  expect(printed).toContain("number of transactions actually processed: 200/200");
  expect(printed).toContain("number of failed transactions: 0");
});

test("a client that is killed in the middle of a download ends its query on the server", async () => {
  const endless = "select repeat('x', 1000) || generate_series(1, 1000000000)";
  const client = startProcess(psql(port, "-c", `\\copy (${endless}) to '/dev/null'`));
  await eventually(
    async () => {
      const progress = "select coalesce(max(bytes_processed), 0) from pg_stat_progress_copy";
      expect(Number(await asked(progress))).toBeGreaterThan(16 * 1024 * 1024);
    },
    { describe: "the download is under way" },
  );
  await client.stop("SIGKILL");
  await eventually(
    async () => expect(await asked("select count(*) from pg_stat_progress_copy")).toBe("0"),
    {
      describe: "the query has ended",
    },
  );
  expect(server.process.stderr).toMatch(/Connection reset by peer|Broken pipe/);
});
