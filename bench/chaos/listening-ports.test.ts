import { expect, it } from "vitest";
import { listeningPorts } from "./listening-ports.ts";

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:3AA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:2710 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0100007F:2711 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
`;

it("reads the ports of listening sockets, and not those of connections", () => {
  expect(listeningPorts(table)).toEqual([10_000, 15_008]);
  expect(listeningPorts("")).toEqual([]);
});
