import fc from "fast-check";
import { expect, it } from "vitest";
import { consumerOfServerName, peerServerName } from "./names.ts";
import { isDnsLabel, isServiceName } from "./names-schema.ts";
import { formatSource, isOurs, sourceOf } from "./ownership.ts";

const label = fc.stringMatching(/^[a-z]([-a-z0-9]{0,20}[a-z0-9])?$/);

it("reads back the consumer from the server name it is given", () => {
  fc.assert(
    fc.property(label, (name) => {
      expect(consumerOfServerName(peerServerName(name))).toBe(name);
    }),
  );
});

it.each(["", "east", ".peer.isthmus", "a.b.peer.isthmus", "east.peer.isthmus.evil"])(
  "takes %j for no consumer",
  (serverName) => expect(consumerOfServerName(serverName)).toBeUndefined(),
);

it.each(["", "-a", "a-", "A", "a.b", "a".repeat(64), "a\n"])("refuses %j as a DNS label", (text) =>
  expect(isDnsLabel(text)).toBe(false),
);

it("refuses a Service name that begins with a digit", () => {
  expect(isDnsLabel("1a")).toBe(true);
  expect(isServiceName("1a")).toBe(false);
});

const mirror = (text: string) => ({
  metadata: { name: "m", annotations: { "isthmus.dev/source": text } },
});

it("reads back a source and refuses other forms", () => {
  const source = { cluster: "west", namespace: "shop", name: "web" };
  expect(sourceOf(mirror(formatSource(source)))).toEqual(source);
  for (const text of ["", "west/shop", "west/shop/web/x", "//"])
    expect(sourceOf(mirror(text))).toBeUndefined();
});

it("takes an object for ours only with our labels and our field manager", () => {
  const labels = { "app.kubernetes.io/managed-by": "isthmus", "isthmus.dev/link": "west" };
  const managedFields = [{ manager: "isthmus-controller" }];
  expect(isOurs({ metadata: { name: "web-west", labels, managedFields } })).toBe(true);
  expect(isOurs({ metadata: { name: "web-west", labels } })).toBe(false);
  expect(
    isOurs({ metadata: { name: "web-west", labels, managedFields: [{ manager: "kubectl" }] } }),
  ).toBe(false);
  expect(isOurs({ metadata: { name: "web-west", managedFields } })).toBe(false);
});
