import { afterAll, beforeAll, describe } from "vitest";
import { startJoinedSystem } from "../system/system.ts";
import { troubleTests } from "./system/trouble.ts";
let w: any;
beforeAll(async () => { const system = await startJoinedSystem(); w = { system, west: system.member("west"), east: system.member("east") }; });
afterAll(async () => { await w?.system.down(); });
describe("x", () => troubleTests(() => w));
