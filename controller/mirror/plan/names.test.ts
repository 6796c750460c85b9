import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linkSpecSchema } from "../../../api/link.ts";
import { gatewayIdentity } from "../../../api/names.ts";
import type { LinkView } from "../../link/link-view.ts";
import { type Claim, isShadowed, mirrorNameOf, sourceNameOf, winnerOf } from "./names.ts";

function view(
  nameTemplate: string,
  clusterName = "west",
  name = "west",
  createdAt = "1",
): LinkView {
  return {
    name,
    clusterName,
    metadata: { name, creationTimestamp: createdAt },
    spec: linkSpecSchema.parse({
      credentialsSecretRef: { name: "west" },
      gateway: { identity: gatewayIdentity("west") },
      trustBundle: "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----",
      mirror: { nameTemplate },
    }),
    open: true,
    reason: "",
    message: "",
    remote: undefined,
    deleting: false,
  };
}

test("a source is found again by the name of its mirror, whatever the template", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("{service}-{cluster}", "{cluster}-{service}", "x-{service}", "{service}"),
      fc.stringMatching(/^[a-z]([-a-z0-9]{0,20}[a-z0-9])?$/),
      (template, service) => {
        const west = view(template);
        expect(sourceNameOf(west, mirrorNameOf(west, service))).toBe(service);
      },
    ),
  );
});

test.for([
  ["web-west", "web"],
  ["-west", undefined],
  ["web-north", undefined],
  ["west", undefined],
] as const)("the mirror %s stands for %s", ([mirror, source]) => {
  expect(sourceNameOf(view("{service}-{cluster}"), mirror)).toBe(source);
});

describe("the name goes to", () => {
  const old: Claim = { link: "b", sourceKey: "shop/a", createdAt: "2026-01-01T00:00:00Z" };
  const young: Claim = { link: "a", sourceKey: "shop/b", createdAt: "2026-02-01T00:00:00Z" };
  test("the older source", () => {
    expect(winnerOf([young, old], undefined)).toBe(old);
  });
  test("the mirror that exists", () => {
    expect(winnerOf([young, old], { ...young, createdAt: "" })).toBe(young);
  });
  test("the others when the mirror that exists is not wanted any more", () => {
    expect(winnerOf([young], { ...old, createdAt: "" })).toBe(young);
  });
  test("the link that sorts first among sources of one age", () => {
    expect(winnerOf([old, { ...old, link: "a" }], undefined)?.link).toBe("a");
  });
});

test("of two links to one cluster the younger comes second", () => {
  const first = view("{service}", "west", "z", "2026-01-01T00:00:00Z");
  const second = view("{service}", "west", "a", "2026-02-01T00:00:00Z");
  const other = view("{service}", "north", "b", "2025-01-01T00:00:00Z");
  const all = [first, second, other];
  expect(all.map((link) => isShadowed(link, all))).toEqual([false, true, false]);
});
