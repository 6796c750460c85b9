import { expect, test } from "vitest";
import { References } from "./references.ts";

const west = { cluster: "west", namespace: "shop", name: "web" };
const api = { ...west, name: "api" };
const north = { ...west, cluster: "north" };

test("a Service is found by each of its targets and their clusters, until it names them no more", () => {
  const references = new References();
  references.set("shop/web", [west, api, north]);
  references.set("shop/cart", [west]);
  expect([...references.toTarget(west)]).toEqual(["shop/web", "shop/cart"]);
  expect([...references.toTarget(api)]).toEqual(["shop/web"]);
  expect([...references.toCluster("west")]).toEqual(["shop/web", "shop/cart"]);
  expect(references.targetsIn("west")).toEqual([west, api]);

  references.set("shop/web", [north]);
  expect([...references.toTarget(west)]).toEqual(["shop/cart"]);
  expect([...references.toTarget(api)]).toEqual([]);
  expect([...references.toCluster("north")]).toEqual(["shop/web"]);
  expect(references.targetsIn("west")).toEqual([west]);

  references.set("shop/cart", []);
  expect([...references.toCluster("west")]).toEqual([]);
  expect([...references.services()]).toEqual(["shop/web"]);
  expect([references.has("shop/web"), references.has("shop/cart")]).toEqual([true, false]);
});
