import type { FaultName } from "../fault-kinds.ts";
import * as api from "./api-faults.ts";
import type { BeginFault } from "./fault-context.ts";
import * as network from "./network-faults.ts";
import * as pods from "./pod-faults.ts";
import * as services from "./service-faults.ts";

/** How each kind of fault is begun. */
export const BEGIN_FAULT: Readonly<Record<FaultName, BeginFault>> = {
  gatewayKilled: pods.gatewayKilled,
  gatewayPaused: pods.gatewayPaused,
  blackHole: network.blackHole,
  packetLoss: network.packetLoss,
  narrowPath: network.narrowGateway,
  apiPaused: api.apiPaused,
  apiRestarted: api.apiRestarted,
  tokenRotated: api.tokenRotated,
  credentialsRevoked: api.credentialsRevoked,
  leafRenewed: api.leafRenewed,
  ownLeafRenewed: api.ownLeafRenewed,
  leaderKilled: pods.leaderKilled,
  leaderPaused: pods.leaderPaused,
  egressKilled: pods.egressKilled,
  proxyRestarted: network.proxyRestarted,
  unexported: services.unexported,
  scaledToZero: services.scaledToZero,
  handEdited: services.handEdited,
  mirrorDeleted: services.mirrorDeleted,
  nameTaken: services.nameTaken,
};
