import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ObjectStore, type ReflectorEvent, type Versioned } from "./store.ts";

function entry(value: string, resourceVersion = value): Versioned<string> {
  return { resourceVersion, object: value };
}

test("a replacement yields deletions, changes and additions, and nothing for what is the same", () => {
  const store = new ObjectStore<string>();
  store.replace(
    new Map([
      ["a", entry("1")],
      ["b", entry("1")],
      ["c", entry("1")],
    ]),
  );
  const events = store.replace(
    new Map([
      ["b", entry("1")],
      ["c", entry("2")],
      ["d", entry("1")],
    ]),
  );
  expect(events).toEqual([
    { type: "delete", key: "a", previous: "1" },
    { type: "apply", key: "c", object: "2", previous: "1" },
    { type: "apply", key: "d", object: "1", previous: undefined },
  ]);
  expect(store.keys()).toEqual(["b", "c", "d"]);
});

test("a replacement with another content under the same version is a change: etcd may have been restored", () => {
  const store = new ObjectStore<string>();
  store.replace(new Map([["a", entry("1", "7")]]));
  expect(store.replace(new Map([["a", entry("2", "7")]]))).toEqual([
    { type: "apply", key: "a", object: "2", previous: "1" },
  ]);
});

test("the same version again, and the deletion of what is not there, are no events", () => {
  const store = new ObjectStore<string>();
  expect(store.apply("a", entry("1"))).toHaveLength(1);
  expect(store.apply("a", entry("1"))).toEqual([]);
  expect(store.delete("b")).toEqual([]);
  expect(store.delete("a")).toEqual([{ type: "delete", key: "a", previous: "1" }]);
});

test("whoever follows the events has what the store has", () => {
  const value = fc.constantFrom("1", "2", "3");
  const key = fc.constantFrom("a", "b", "c", "d");
  const content = fc.dictionary(key, value).map((pairs) => Object.entries(pairs));
  const change = fc.oneof(
    fc.record({ type: fc.constant("apply" as const), key, value }),
    fc.record({ type: fc.constant("delete" as const), key }),
    fc.record({ type: fc.constant("replace" as const), content }),
  );
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const store = new ObjectStore<string>();
      const follower = new Map<string, string>();
      for (const step of changes) {
        for (const event of perform(store, step)) {
          expect(event.previous).toBe(follower.get(event.key));
          expect(event.type === "apply" || follower.has(event.key)).toBe(true);
          if (event.type === "apply") follower.set(event.key, event.object);
          else follower.delete(event.key);
        }
        expect(new Map(store.keys().map((name) => [name, store.get(name)]))).toEqual(follower);
      }
    }),
  );
});

type Step =
  | { type: "apply"; key: string; value: string }
  | { type: "delete"; key: string }
  | { type: "replace"; content: [string, string][] };

function perform(store: ObjectStore<string>, step: Step): ReflectorEvent<string>[] {
  if (step.type === "apply") return store.apply(step.key, entry(step.value));
  if (step.type === "delete") return store.delete(step.key);
  return store.replace(new Map(step.content.map(([key, value]) => [key, entry(value)])));
}
