import * as fc from "fast-check";
import { expect, test } from "vitest";
import { connectAuthority } from "../../api/names.ts";
import { parseAuthority, printable } from "./authority.ts";

test("an authority of our form names a Service, a namespace and a port", () => {
  expect(parseAuthority("web.shop.svc:80")).toEqual({
    namespace: "shop",
    service: "web",
    port: 80,
  });
});

test("whatever the egress may ask for is understood, up to the longest names", () => {
  const label = fc.stringMatching(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
  const port = fc.integer({ min: 1, max: 65_535 });
  fc.assert(
    fc.property(label, label, port, (namespace, service, number) => {
      const authority = connectAuthority(namespace, service, number);
      expect(parseAuthority(authority)).toEqual({ namespace, service, port: number });
    }),
  );
});

test("no other text is understood", () => {
  const anything = fc.oneof(fc.string(), fc.webAuthority(), fc.ipV4(), fc.ipV6());
  const property = fc.property(anything, (text) => {
    const parsed = parseAuthority(text);
    return (
      parsed === undefined ||
      connectAuthority(parsed.namespace, parsed.service, parsed.port) === text
    );
  });
  expect(fc.check(property).failed).toBe(false);
});

test.each([
  undefined,
  "",
  "web.shop.svc",
  "web.shop.svc:",
  "web.shop.svc:0",
  "web.shop.svc:65536",
  "web.shop.svc:080",
  "web.shop.svc:+80",
  "web.shop.svc:8e1",
  "web.shop.svc:80 ",
  "web.shop.svc:80\n",
  "web.shop.svc.:80",
  "web.shop.svc.cluster.local:80",
  "web.shop.pod:80",
  "web.shop:80",
  "a.web.shop.svc:80",
  ".shop.svc:80",
  "-web.shop.svc:80",
  "web-.shop.svc:80",
  "Web.shop.svc:80",
  "wéb.shop.svc:80",
  "web%2eshop.svc:80",
  "web\0.shop.svc:80",
  "user@web.shop.svc:80",
  "http://web.shop.svc:80",
  "127.0.0.1:80",
  "10.0.svc:80",
  "[::1]:80",
  "localhost:80",
  `${"a".repeat(64)}.shop.svc:80`,
  `web.${"a".repeat(64)}.svc:80`,
])("%j is refused", (text) => {
  expect(parseAuthority(text)).toBeUndefined();
});

test("what is understood of a near miss is exactly what it says, and is never an address", () => {
  const near = fc
    .tuple(fc.nat(20), fc.constantFrom("", ".", ":", "%", "@", "[", "\0", "A", "0", "-", "é", "/"))
    .map(([at, inserted]) => {
      const text = "web.shop.svc:80";
      return text.slice(0, at) + inserted + text.slice(at);
    });
  fc.assert(
    fc.property(near, (text) => {
      const parsed = parseAuthority(text);
      if (parsed === undefined) return;
      expect(connectAuthority(parsed.namespace, parsed.service, parsed.port)).toBe(text);
      expect(text).toMatch(/^[-a-z0-9]+\.[-a-z0-9]+\.svc:[1-9][0-9]{0,4}$/);
    }),
  );
});

test("what is logged of a stranger's text is short and printable", () => {
  expect(printable("web\0\r\n\u001b[31m é:80")).toBe("web????[31m ?:80");
  fc.assert(
    fc.property(fc.string({ maxLength: 5000, unit: "binary" }), (text) => {
      expect(printable(text)).toMatch(/^[ -~]{0,140}…?$/);
    }),
  );
});
