import { expect, test } from "vitest";
import { plainText } from "./plain-text.ts";

test.for([
  ["plain text stays: Café 日本 ✓", "plain text stays: Café 日本 ✓"],
  ["a\nb\r\nc\td", "a\u{FFFD}b\u{FFFD}\u{FFFD}c\u{FFFD}d"],
  ["\u{1B}[31mred", "\u{FFFD}[31mred"],
  ["nul\u{0}del\u{7F}c1\u{9B}", "nul\u{FFFD}del\u{FFFD}c1\u{FFFD}"],
  ["line\u{2028}paragraph\u{2029}", "line\u{FFFD}paragraph\u{FFFD}"],
  ["turned\u{202E}txt.exe\u{2066}", "turned\u{FFFD}txt.exe\u{FFFD}"],
  ["half a pair \u{D800}", "half a pair \u{FFFD}"],
])("%j is told as %j", ([text = "", told = ""]) => {
  expect(plainText(text)).toBe(told);
});
