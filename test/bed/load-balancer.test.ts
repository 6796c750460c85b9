import { expect, test } from "vitest";
import { AddressPool, type ServiceObject } from "./load-balancer.ts";

function service(name: string, ip?: string): ServiceObject {
  const metadata = { name, namespace: "shop", uid: `uid-of-${name}` };
  return ip ? { metadata, status: { loadBalancer: { ingress: [{ ip }] } } } : { metadata };
}

const path = (name: string) => `/api/v1/namespaces/shop/services/${name}`;

test("a new Service gets an address of its own in every cluster", () => {
  const pool = new AddressPool("10.200.2");
  const [west] = pool.update("west", [service("a")]).assign;
  const [east] = pool.update("east", [service("b")]).assign;
  expect(west).toEqual({ path: path("a"), address: "10.200.2.1", isNew: true });
  expect(east).toEqual({ path: path("b"), address: "10.200.2.2", isNew: true });
});

test("a Service keeps the address in its status, also after a restart", () => {
  const pool = new AddressPool("10.200.2");
  const { assign } = pool.update("west", [service("a", "10.200.2.1"), service("b")]);
  expect(assign).toEqual([
    { path: path("a"), address: "10.200.2.1", isNew: false },
    { path: path("b"), address: "10.200.2.2", isNew: true },
  ]);
});

test("a Service whose status could not be written yet is offered the same address again", () => {
  const pool = new AddressPool("10.200.2");
  const first = pool.update("west", [service("a")]).assign;
  expect(pool.update("west", [service("a")]).assign).toEqual(first);
});

test("the address of a deleted Service is released in its cluster alone, and is the last to be used again", () => {
  const pool = new AddressPool("10.200.2");
  pool.update("west", [service("a")]);
  expect(pool.update("east", []).release).toEqual([]);
  expect(pool.update("west", []).release).toEqual(["10.200.2.1"]);
  expect(pool.update("west", [service("b")]).assign[0]?.address).toBe("10.200.2.2");
});

test("running out of addresses is an error", () => {
  const pool = new AddressPool("10.200.2");
  const many = Array.from({ length: 251 }, (_, index) => service(`s${index}`));
  expect(() => pool.update("west", many)).toThrow(/all 250 load balancer addresses/);
});
