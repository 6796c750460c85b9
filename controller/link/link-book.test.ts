import { expect, it } from "vitest";
import type { Link } from "../../api/link.ts";
import { LinkBook } from "./link-book.ts";

const OPEN: Link = {
  metadata: { name: "west" },
  status: {
    conditions: [
      {
        type: "Ready",
        status: "True",
        reason: "LinkReady",
        message: "",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ],
  },
};

it("a link is seen as recorded before it was assessed, and closed from the moment leadership is lost", () => {
  let leading = true;
  const book = new LinkBook(
    () => OPEN,
    () => leading,
  );
  expect(book.get("west")).toMatchObject({ open: true, reason: "LinkReady" });
  leading = false;
  expect(book.get("west")).toMatchObject({ open: false, reason: "NotLeader" });
});
