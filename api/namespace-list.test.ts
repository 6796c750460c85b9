import { describe, expect, it } from "vitest";
import {
  commonNamespaces,
  formatNamespaceList,
  MAX_LISTED_NAMESPACES,
  parseNamespaceList,
} from "./namespace-list.ts";

describe("a list of namespaces", () => {
  it("is read sorted, each name once, whatever is around the names", () => {
    expect(parseNamespaceList(" shop, payments,shop ")).toEqual(["payments", "shop"]);
    expect(parseNamespaceList(formatNamespaceList(["b", "a", "b"]))).toEqual(["a", "b"]);
  });

  it.each([
    { text: "", says: "names no namespace" },
    { text: "shop,", says: "no name of a namespace" },
    { text: "Shop", says: '"Shop"' },
    { text: "shop,isthmus-system", says: "isthmus-system is Isthmus's own" },
    {
      text: Array.from({ length: MAX_LISTED_NAMESPACES + 1 }, (_, index) => `n${index}`).join(),
      says: "may name 50",
    },
  ])("that cannot be read is refused: $says", ({ text, says }) => {
    expect(() => parseNamespaceList(text)).toThrow(says);
  });

  it("that is absent has all namespaces, also beside one that is there", () => {
    expect(commonNamespaces(undefined, undefined)).toBeUndefined();
    expect(commonNamespaces(["shop"], undefined)).toEqual(["shop"]);
    expect(commonNamespaces(undefined, ["shop"])).toEqual(["shop"]);
    expect(commonNamespaces(["payments", "shop"], ["shop", "web"])).toEqual(["shop"]);
  });
});
