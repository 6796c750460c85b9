import type { Member, System } from "../../system/system.ts";

/** The bed that the parts of the system test share: Isthmus installed in both clusters, east joined to west. */
export interface World {
  readonly system: System;
  readonly west: Member;
  readonly east: Member;
}
