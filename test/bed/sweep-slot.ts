// Run by exit-guard.ts in a process of its own: removes the bed in the slot named by the first argument.
import { slotFolder } from "./slot.ts";
import { sweepSlot } from "./sweep.ts";

const slot = Number(process.argv[2]);
if (!Number.isInteger(slot)) throw new Error("usage: sweep-slot.ts SLOT");
// A second Ctrl-C must not stop it halfway.
process.on("SIGINT", () => {});
await sweepSlot(slot, slotFolder(slot));
