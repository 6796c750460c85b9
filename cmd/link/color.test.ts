import { expect, test } from "vitest";
import { wantsColor } from "./color.ts";

const TERMINAL = { isTTY: true };
const PIPE = {};

test.each([
  [true, TERMINAL, [], {}],
  [false, PIPE, [], {}],
  [false, TERMINAL, ["status", "--no-color"], {}],
  [false, TERMINAL, [], { NO_COLOR: "1" }],
  [true, TERMINAL, [], { NO_COLOR: "" }],
  [false, TERMINAL, [], { TERM: "dumb" }],
  [true, PIPE, [], { FORCE_COLOR: "1" }],
  [false, TERMINAL, [], { FORCE_COLOR: "0" }],
  [false, PIPE, [], { FORCE_COLOR: "1", NO_COLOR: "1" }],
  [false, PIPE, ["--no-color"], { FORCE_COLOR: "1" }],
])("colour is %s on %j with %j and %j", (wanted, stream, args, env) => {
  expect(wantsColor(stream, { args, env })).toBe(wanted);
});
