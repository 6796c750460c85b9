import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";

test("credentials never reach the log, reconcile keys do", () => {
  let text = "";
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  const logger = createLogger({ name: "test", destination });
  logger.info(
    {
      key: "shop/web",
      token: "SECRET-1",
      user: { token: "SECRET-2", keyData: "SECRET-3" },
      request: { headers: { authorization: "SECRET-4" } },
      data: { kubeconfig: "SECRET-5", "tls.key": "SECRET-6" },
    },
    "hello",
  );
  logger.child({ password: "SECRET-7" }).info("again");
  expect(text).not.toContain("SECRET");
  expect(text).toContain('"key":"shop/web"');
  expect(text).toContain('"name":"test"');
});
