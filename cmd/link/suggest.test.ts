import { describe, expect, test } from "vitest";
import { didYouMean } from "./suggest.ts";

describe("a name that is not known", () => {
  test.each([
    ["wset", ["west", "east", "north"], "did you mean west?"],
    ["wes", ["west", "east"], "did you mean west?"],
    ["wset", ["west", "wist"], "did you mean west?"],
    ["kind", ["kind-west", "kind-east", "prod"], "did you mean kind-east or kind-west?"],
    ["west", ["kind-west", "prod"], "did you mean kind-west?"],
    ["paymets", ["payments", "web"], "did you mean payments?"],
    ["best", ["west", "rest"], "did you mean rest or west?"],
  ])("%s among %j", (given, known, question) => {
    expect(didYouMean(given, known)).toBe(question);
  });

  test.each([
    ["west", []],
    ["x", ["yz", "web"]],
    ["production", ["west", "east"]],
  ])("nothing is close to %s among %j", (given, known) => {
    expect(didYouMean(given, known)).toBeUndefined();
  });
});
