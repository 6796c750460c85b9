import { useClusters } from "./cli-bed.ts";

/** One cluster for all tests of install, upgrade and uninstall, one after the other. */
export const clusters = useClusters("west");
