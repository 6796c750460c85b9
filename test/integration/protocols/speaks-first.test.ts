import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { runOk } from "../../bed/command.ts";
import { linkGateways } from "../gateway/linked-gateways.ts";
import { startProcess, startServer } from "./real-process.ts";

/** The mail server of Debian 12's Python: it prints the mails that it gets. */
async function startMailServer() {
  return await startServer((port) => [
    "/usr/bin/python3",
    "-u",
    "-W",
    "ignore",
    "-m",
    "smtpd",
    "-n",
    "-c",
    "DebuggingServer",
    `127.0.0.1:${port}`,
  ]);
}

test("a client that waits for the server's greeting gets it", async () => {
  const server = await startMailServer();
  const { port } = await linkGateways([server.port]);
  const client = startProcess(["nc", "-N", "127.0.0.1", String(port)]);
  // Nothing is sent: no proxy may wait for it.
  await expect.poll(() => client.stdout, { timeout: 15_000 }).toMatch(/^220 .*SMTP/);
});

test("a conversation in turns, begun by the server, delivers a mail", async () => {
  const server = await startMailServer();
  const { port } = await linkGateways([server.port]);
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index} of the mail`);
  const mail = ["From: <one@example.com>", "To: <two@example.com>", "", ...lines, ""].join("\r\n");
  await runOk(
    [
      "curl",
      "--silent",
      "--show-error",
      `smtp://127.0.0.1:${port}/client`,
      "--mail-from",
      "one@example.com",
      "--mail-rcpt",
      "two@example.com",
      "--upload-file",
      "-",
    ],
    { input: mail },
  );
  const printed = server.process.stdout.matchAll(/^b'(line \d+ of the mail)'$/gm);
  const delivered = [...printed].map(([, line]) => line);
  expect(sha256(delivered.join("\n"))).toBe(sha256(lines.join("\n")));
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
