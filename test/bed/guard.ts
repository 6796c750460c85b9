// Run by exit-guard.ts in a process of its own: guard.ts SLOT OWNER sweeps the slot once its standard input ends,
// unless something was written to it before.
import { text } from "node:stream/consumers";
import { slotFolder, takeOver } from "./slot.ts";
import { sweepSlot } from "./sweep.ts";

const [slotText = "", owner = ""] = process.argv.slice(2);
const slot = Number(slotText);
if (!Number.isInteger(slot) || !owner) throw new Error("usage: guard.ts SLOT OWNER");
const calledOff = (await text(process.stdin)) !== "";
if (!calledOff && takeOver(slot, JSON.parse(owner))) await sweepSlot(slot, slotFolder(slot));
