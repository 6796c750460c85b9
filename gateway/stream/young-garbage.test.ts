import { expect, test } from "vitest";
import { YoungGarbage } from "./young-garbage.ts";

const MIB = 1024 * 1024;

test("garbage is collected once for each 4 MiB that were carried, in however small parts", () => {
  let collections = 0;
  const garbage = new YoungGarbage(() => (collections += 1));
  for (let carried = 0; carried < 40; carried += 1) garbage.add(MIB);
  expect(collections).toBe(10);
});

test("without a way to collect, carrying goes on", () => {
  const garbage = new YoungGarbage(undefined);
  expect(() => garbage.add(100 * MIB)).not.toThrow();
});
