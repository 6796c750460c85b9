import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Every metric of the gateway, declared on `registry`. `link` is the Link in the egress, the consumer in the ingress. */
export function declareGatewayMetrics(registry: Registry) {
  const registers = [registry];
  return {
    sessions: new Gauge({
      name: "isthmus_gateway_sessions",
      help: "Sessions to a remote gateway, by what they are at: live, connecting, replacing, waiting.",
      labelNames: ["link", "address", "state"],
      registers,
    }),
    sessionFailures: new Counter({
      name: "isthmus_gateway_session_failures_total",
      help: "Sessions to a remote gateway that ended or never began, by reason: PingTimeout, ConnectTimeout, CertificateUntrusted, IdentityMismatch, SessionLost, or an error code (CERT_HAS_EXPIRED, ECONNREFUSED, …).",
      labelNames: ["link", "address", "reason"],
      registers,
    }),
    pingSeconds: new Histogram({
      name: "isthmus_gateway_ping_rtt_seconds",
      help: "Round trip of an HTTP/2 PING over a session.",
      labelNames: ["link", "address"],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2],
      registers,
    }),
    addressStreams: new Gauge({
      name: "isthmus_gateway_address_streams",
      help: "Streams over the sessions to an address of a remote gateway, as of the last PING.",
      labelNames: ["link", "address"],
      registers,
    }),
    addressBytes: new Counter({
      name: "isthmus_gateway_address_bytes_total",
      help: "Bytes of the sessions to an address of a remote gateway, all of HTTP/2 included, as of the last PING; toRemote leaves this cluster, toLocal enters it.",
      labelNames: ["link", "address", "direction"],
      registers,
    }),
    linkUp: new Gauge({
      name: "isthmus_gateway_link_up",
      help: "1 while this gateway's own sessions of the link are up, 0 while they are not.",
      labelNames: ["link"],
      registers,
    }),
    linkAdmitted: new Gauge({
      name: "isthmus_gateway_link_admitted",
      help: "1 while the Link's condition Ready is True, as this gateway last saw it.",
      labelNames: ["link"],
      registers,
    }),
    linkInvalid: new Gauge({
      name: "isthmus_gateway_link_invalid",
      help: "1 while the link cannot be dialled for what its object says.",
      labelNames: ["link"],
      registers,
    }),
    listeners: new Gauge({
      name: "isthmus_gateway_listeners",
      help: "Listening sockets for mirrored ports.",
      labelNames: ["link"],
      registers,
    }),
    closedPorts: new Gauge({
      name: "isthmus_gateway_closed_ports",
      help: "Mirrored ports that are not listened on: NoSession, MirrorClosed, Draining, or why the Link is not Ready.",
      labelNames: ["link", "reason"],
      registers,
    }),
    listenErrors: new Counter({
      name: "isthmus_gateway_listen_errors_total",
      help: "Attempts to listen on an egress port that failed, by error code.",
      labelNames: ["code"],
      registers,
    }),
    ingressSessions: new Gauge({
      name: "isthmus_gateway_ingress_sessions",
      help: "Sessions with a consumer now.",
      labelNames: ["consumer"],
      registers,
    }),
    ingressAccepted: new Counter({
      name: "isthmus_gateway_ingress_sessions_total",
      help: "Sessions accepted from a consumer since the start: grows by itself only when sessions are replaced or lost.",
      labelNames: ["consumer"],
      registers,
    }),
    ingressRefused: new Counter({
      name: "isthmus_gateway_ingress_refused_total",
      help: "Connections refused before a session began, by reason: why a certificate is not accepted (OpenSSL's name), or an error code.",
      labelNames: ["reason"],
      registers,
    }),
    peerInvalid: new Gauge({
      name: "isthmus_gateway_peer_invalid",
      help: "1 while a Peer cannot be accepted for what its object says.",
      labelNames: ["peer"],
      registers,
    }),
    streams: new Counter({
      name: "isthmus_gateway_streams_total",
      help: "Streams that ended, by Service (namespace/name in the provider's cluster; empty when it is not, or no longer, exported or mirrored), result (ended, reset, refused, answered) and reason.",
      labelNames: ["role", "link", "service", "result", "reason"],
      registers,
    }),
    activeStreams: new Gauge({
      name: "isthmus_gateway_active_streams",
      help: "Streams that carry a connection now.",
      labelNames: ["role", "link"],
      registers,
    }),
    bytes: new Counter({
      name: "isthmus_gateway_bytes_total",
      help: "Payload bytes of streams; toRemote leaves this cluster, toLocal enters it. Counted when a stream ends.",
      labelNames: ["role", "link", "direction"],
      registers,
    }),
    boundReached: new Counter({
      name: "isthmus_gateway_bound_reached_total",
      help: "Times that a bound was reached or crossed, by bound (docs/LIMITS.md); link is empty before a client has shown who it is.",
      labelNames: ["role", "bound", "link"],
      registers,
    }),
    joins: new Counter({
      name: "isthmus_gateway_joins_total",
      help: "Tries to use a join token, by result: Joined, why it was not taken (docs/joining.md), Handshake or Deadline.",
      labelNames: ["result"],
      registers,
    }),
    handshakes: new Gauge({
      name: "isthmus_gateway_handshakes",
      help: "TCP connections to the ingress whose client has not shown who it is yet.",
      registers,
    }),
    bufferedBytes: new Gauge({
      name: "isthmus_gateway_buffered_bytes",
      help: "Payload that the ingress holds for a consumer: read from one side and not yet taken by the other.",
      labelNames: ["consumer"],
      registers,
    }),
    leafNotAfter: new Gauge({
      name: "isthmus_gateway_leaf_not_after_seconds",
      help: "When the gateway's certificate expires, in seconds since the epoch; 0 without one.",
      registers,
    }),
    draining: new Gauge({
      name: "isthmus_gateway_draining",
      help: "1 from SIGTERM on.",
      registers,
    }),
  };
}

export type GatewayMetrics = ReturnType<typeof declareGatewayMetrics>;
