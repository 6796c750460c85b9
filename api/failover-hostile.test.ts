import type { Finding } from "./reasons.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FailoverPolicy, readFailover } from "./failover.ts";
import { ANNOTATIONS } from "./names.ts";
import type { Service } from "./objects.ts";
import { formatSource } from "./ownership.ts";

const http = { name: "http", port: 80 };

function web(annotations: Record<string, string>): Service {
  const ports = [http, { name: "dns", port: 53, protocol: "UDP" }];
  return { metadata: { namespace: "shop", name: "web", annotations }, spec: { ports } };
}

/** What a Service of cluster east asks for; it has to ask for something. */
function read(service: Service): { policy: FailoverPolicy; findings: Finding[] } {
  const request = readFailover(service, "east");
  if (request?.kind !== "wanted") throw new Error(`reads as ${JSON.stringify(request)}`);
  return request;
}

describe("whatever the annotations hold", () => {
  const hostile = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.string({
      unit: fc.constantFrom(...Array.from("west,/=north80 \n\u2028\u202E\0")),
      maxLength: 200,
    }),
    fc.constantFrom("__proto__", "constructor", "toString", "a".repeat(300_000), "x,".repeat(2047)),
    fc.constantFrom("west", "active", "30s", "http=80"),
  );

  test("reading it never throws, and says it in few words on one line, each of it once", () => {
    fc.assert(
      fc.property(
        fc.record({
          [ANNOTATIONS.failover]: hostile,
          [ANNOTATIONS.failoverMode]: hostile,
          [ANNOTATIONS.failoverPorts]: hostile,
          [ANNOTATIONS.failoverActivateAfter]: hostile,
          [ANNOTATIONS.failoverFailbackAfter]: hostile,
        }),
        (annotations) => {
          const { policy, findings } = read(web(annotations));
          expect(findings.length).toBeLessThanOrEqual(12);
          const messages = findings.map(({ message }) => message);
          expect(new Set(messages).size).toBe(messages.length);
          for (const message of messages) {
            expect(message.length).toBeLessThan(1000);
            expect(message).not.toMatch(/[\p{Cc}\u2028\u202E]/u);
          }
          expect(policy.targets.length).toBeLessThanOrEqual(16);
          expect(policy.ports.every(({ own }) => own === http)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("what can be read of it counts, between whatever else the list has", () => {
    const junk = fc
      .string({ unit: "binary", maxLength: 20 })
      .filter((text) => !/^[\s\p{Cc}]*[a-z0-9]/u.test(text) && !text.includes(","));
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 20 }), fc.array(junk, { maxLength: 20 }), (a, b) => {
        const list = [...a, "west", ...b, "north/a/b"].join();
        const { targets } = read(web({ [ANNOTATIONS.failover]: list })).policy;
        expect(targets.map(formatSource)).toEqual(["west/shop/web", "north/a/b"]);
      }),
    );
  });

  test("two readings of one Service are alike", () => {
    fc.assert(
      fc.property(hostile, (failover) => {
        const service = web({ [ANNOTATIONS.failover]: failover });
        expect(readFailover(service, "east")).toEqual(readFailover(service, "east"));
      }),
    );
  });
});
