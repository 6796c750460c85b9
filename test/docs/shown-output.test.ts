import { describe, expect, test } from "vitest";
import { missingLine } from "./shown-output.ts";

const lines = (...texts: string[]) => texts.map((text, index) => ({ text, line: index + 1 }));

describe("output that a page shows", () => {
  test("is found among other output, whatever the width of its gaps", () => {
    const shown = lines("NAME   READY", "west  True");
    expect(missingLine(shown, "note\nNAME    READY\nnorth   False\nwest    True\n")).toBe(
      undefined,
    );
  });

  test("may leave out text, and lines", () => {
    expect(missingLine(lines("took … s", "…", "done"), "took 1.2 s\n\ndone")).toBe(undefined);
  });

  test("may leave out several texts of a line, but not what stands between them", () => {
    const shown = lines("pod web-… is … in …");
    expect(missingLine(shown, "pod web-1 is Ready in west")).toBe(undefined);
    expect(missingLine(shown, "pod web-1 has gone in west")).toEqual(shown[0]);
    expect(missingLine(lines("a…a"), "a")).toEqual({ text: "a…a", line: 1 });
  });

  test("is missed when it comes in another order", () => {
    expect(missingLine(lines("one", "two"), "two\none\n")).toEqual({ text: "two", line: 2 });
  });

  test("is missed when a line has more than what is shown", () => {
    expect(missingLine(lines("one (1)"), "one (1) more")).toEqual({ text: "one (1)", line: 1 });
  });
});
