import type { Bound } from "./bound-reports.ts";
import type { GatewayLimits } from "./limits.ts";

/** What a bound is of, and what becomes of what goes beyond it. */
interface LimitNote {
  /** Of which side: of consumers' sessions, of sessions to remote gateways, or of both. */
  role: "ingress" | "egress" | "both";
  what: string;
  beyond: string;
  /** Its label in `isthmus_gateway_bound_reached_total`; none where nothing is refused. */
  bound?: Bound;
}

/** The meaning of every bound, in the order of docs/LIMITS.md. */
export const LIMIT_NOTES: Readonly<Record<keyof GatewayLimits, LimitNote>> = {
  maxHandshakes: {
    role: "ingress",
    what: "TCP connections whose client has not shown who it is.",
    beyond:
      "The oldest from the address that has the most is reset: an honest handshake takes a few round trips.",
    bound: "Handshakes",
  },
  handshakeTimeoutMs: {
    role: "ingress",
    what: "From the TCP connection to the end of the TLS handshake.",
    beyond: "The connection is closed.",
    bound: "HandshakeTimeout",
  },
  maxSessions: {
    role: "ingress",
    what: "Sessions of all peers. Of a quarter, an even share is kept for each peer.",
    beyond: "The new session ends with ENHANCE_YOUR_CALM.",
    bound: "Sessions",
  },
  maxSessionsPerPeer: {
    role: "ingress",
    what: "Sessions of one peer: of all of its egress gateways and controllers.",
    beyond: "The new session ends with ENHANCE_YOUR_CALM.",
    bound: "SessionsPerPeer",
  },
  maxConnections: {
    role: "both",
    what: "Connections carried by both roles, each one file descriptor: clients of mirrors and connections to endpoints. Of a quarter, an even share is kept for each peer and link. Never more than the limit of open files (RLIMIT_NOFILE) leaves.",
    beyond: "Ingress: the stream is refused (REFUSED_STREAM). Egress: the client is reset.",
    bound: "Connections",
  },
  maxStreamsPerPeer: {
    role: "ingress",
    what: "Streams of one peer, over all of its sessions.",
    beyond: "The stream is refused (REFUSED_STREAM): another replica may take it.",
    bound: "StreamsPerPeer",
  },
  maxStreamsPerSession: {
    role: "ingress",
    what: "Streams of one session (SETTINGS_MAX_CONCURRENT_STREAMS).",
    beyond: "The session ends with PROTOCOL_ERROR: the peer was told.",
    bound: "Protocol",
  },
  maxConnectionsPerLink: {
    role: "egress",
    what: "Local clients of one link, over all of its mirrors.",
    beyond: "The client is reset.",
    bound: "ConnectionsPerLink",
  },
  maxNewStreamsPerSecond: {
    role: "ingress",
    what: "Streams that one peer opens, a second. Probes of its controller have some to spare beyond it.",
    beyond: "The stream is refused (REFUSED_STREAM), and counts as an error.",
    bound: "NewStreams",
  },
  maxResetsPerSecond: {
    role: "ingress",
    what: "RST_STREAM frames of one session, a second (nghttp2).",
    beyond: "The session ends with INTERNAL_ERROR.",
    bound: "Protocol",
  },
  maxStreamErrorsPerSecond: {
    role: "ingress",
    what: "Streams of one peer, a second, that end by the peer's own fault: refused with 400, 403, 404 or 405, too many, or reset by the gateway for their header fields.",
    beyond: "The session ends with ENHANCE_YOUR_CALM.",
    bound: "StreamErrors",
  },
  maxHeaderBytes: {
    role: "both",
    what: "Header fields of one request, or of one answer (SETTINGS_MAX_HEADER_LIST_SIZE).",
    beyond: "The stream is reset with ENHANCE_YOUR_CALM, and counts as an error.",
    bound: "StreamErrors",
  },
  maxHeaderPairs: {
    role: "both",
    what: "Number of header fields of one request, or of one answer.",
    beyond: "The stream is reset with ENHANCE_YOUR_CALM, and counts as an error.",
    bound: "StreamErrors",
  },
  headerTimeoutMs: {
    role: "ingress",
    what: "A session in which no whole frame arrives: no preface, or a header block that does not end.",
    beyond: "The session ends with ENHANCE_YOUR_CALM.",
    bound: "HeaderTimeout",
  },
  maxPingsPerSecond: {
    role: "both",
    what: "PING frames of one session, a second.",
    beyond: "The session ends with ENHANCE_YOUR_CALM.",
    bound: "Pings",
  },
  maxSettingsPerSecond: {
    role: "both",
    what: "SETTINGS frames of one session, a second.",
    beyond: "The session ends with ENHANCE_YOUR_CALM.",
    bound: "Settings",
  },
  maxPenaltyMs: {
    role: "ingress",
    what: "How long a peer that crossed a bound gets no new session: one second at first, twice as long each time, and at most this.",
    beyond: "The new session ends with ENHANCE_YOUR_CALM; those that are open go on.",
    bound: "Penalty",
  },
  maxInvalidFramesPerSession: {
    role: "both",
    what: "Empty DATA frames that end nothing, and frames that break a stream's rules, in one session.",
    beyond: "The session ends.",
    bound: "InvalidFrames",
  },
  maxOverheadBytesPerSecond: {
    role: "ingress",
    what: "Bytes of one peer, a second, that carry nothing: padding, frames for closed streams, window updates of single bytes, header fields that are not accepted.",
    beyond: "The session ends with ENHANCE_YOUR_CALM.",
    bound: "Overhead",
  },
  peerPingIntervalMs: {
    role: "ingress",
    what: "How often the ingress sends a PING over each session.",
    beyond: "-",
  },
  peerPingTimeoutMs: {
    role: "ingress",
    what: "How long a session may bring nothing while a PING waits for its answer. (The egress decides by the Link's `probe`.)",
    beyond: "The session ends.",
    bound: "Silence",
  },
  idleStreamTimeoutMs: {
    role: "ingress",
    what: "How long no byte may move in a stream, in either direction; 0: for ever. Found within a sixteenth of it.",
    beyond: "The stream and its connection are reset.",
    bound: "IdleStreams",
  },
  endpointConnectTimeoutMs: {
    role: "ingress",
    what: "How long an endpoint may take to accept a connection; two are tried.",
    beyond: "The other endpoint is tried; then 503 EndpointUnreachable.",
    bound: "EndpointConnectTimeout",
  },
  streamWindowBytes: {
    role: "both",
    what: "Bytes that one stream may bring before they are taken (HTTP/2 window).",
    beyond: "The session ends with FLOW_CONTROL_ERROR.",
    bound: "Protocol",
  },
  sessionWindowBytes: {
    role: "both",
    what: "Bytes that all streams of a session may bring before they are taken.",
    beyond: "The session ends with FLOW_CONTROL_ERROR.",
    bound: "Protocol",
  },
  maxWindowBytesPerPeer: {
    role: "ingress",
    what: "Sum of the windows of a peer's sessions: what it can make the gateway hold of what it sends.",
    beyond: "Further sessions have the smallest window of HTTP/2, 65,535 bytes.",
    bound: "WindowBytes",
  },
  maxSessionMemoryMb: {
    role: "both",
    what: "Memory of one session as node:http2 counts it, in MB.",
    beyond: "New streams of the session are refused (REFUSED_STREAM).",
  },
  maxBufferedBytesPerPeer: {
    role: "ingress",
    what: "Payload held for one peer, both directions, in all of its streams; looked at once a second, and of many streams when the process has grown.",
    beyond:
      "New streams of the peer are refused (REFUSED_STREAM); at twice as much its session that holds the most ends with ENHANCE_YOUR_CALM.",
    bound: "BufferedBytesPerPeer",
  },
  maxBufferedBytes: {
    role: "ingress",
    what: "Payload held for all peers.",
    beyond: "New streams of peers that hold more than an even share of it are refused.",
    bound: "BufferedBytes",
  },
};

/** A known attack on HTTP/2 servers, and what answers it here. */
interface Attack {
  cves: string;
  name: string;
  answer: string;
}

/** The attacks of docs/LIMITS.md; each is a test of its own (test/integration/gateway/floods.test.ts). */
export const ATTACKS: readonly Attack[] = [
  {
    cves: "CVE-2023-44487",
    name: "rapid reset",
    answer: "`--max-resets-per-second` (nghttp2), `--max-new-streams-per-second`",
  },
  {
    cves: "CVE-2025-8671",
    name: "MadeYouReset: streams that the server itself must reset",
    answer:
      "a WINDOW_UPDATE of 0 or too large, a PRIORITY of the wrong length: the session ends at the first (node:http2); header fields that are refused: `--max-stream-errors-per-second`, which counts the gateway's own resets",
  },
  {
    cves: "CVE-2024-27316, CVE-2024-28182, CVE-2024-27983",
    name: "CONTINUATION flood",
    answer: "nghttp2: the session ends at the ninth CONTINUATION frame of a header block",
  },
  {
    cves: "CVE-2019-9512",
    name: "PING flood",
    answer: "`--max-pings-per-second`",
  },
  { cves: "CVE-2019-9515", name: "SETTINGS flood", answer: "`--max-settings-per-second`" },
  {
    cves: "CVE-2020-11080",
    name: "SETTINGS frames with thousands of entries",
    answer: "nghttp2: the session ends at a frame with more than 32",
  },
  {
    cves: "CVE-2019-9518",
    name: "empty DATA frames",
    answer: "`--max-invalid-frames-per-session`; padded ones: `--max-overhead-bytes-per-second`",
  },
  {
    cves: "CVE-2019-9513",
    name: "PRIORITY frames (resource loop)",
    answer: "nghttp2 keeps no priorities, and ends the session after 10,000 and 330 a second",
  },
  {
    cves: "CVE-2019-9514",
    name: "reset flood: requests that are answered by RST_STREAM",
    answer:
      "`--max-stream-errors-per-second`; RST_STREAM for closed streams: `--max-resets-per-second`",
  },
  {
    cves: "CVE-2019-9511, CVE-2019-9517",
    name: "data dribble and internal data buffering: answers are asked for and not taken",
    answer:
      "nothing is read from an endpoint beyond what the stream takes; `--max-overhead-bytes-per-second`, `--max-buffered-bytes-per-peer`, `--max-buffered-bytes`",
  },
  {
    cves: "CVE-2019-9516, CVE-2016-1544, CVE-2016-6581",
    name: "header fields without length, HPACK bomb",
    answer:
      "`--max-header-pairs`, `--max-header-bytes`, counted after decompression; fields without a name are dropped (nghttp2)",
  },
  {
    cves: "-",
    name: "frames of unknown types, PRIORITY_UPDATE, ALTSVC",
    answer: "nghttp2 (glitch rate limit): the session ends after 10,000 and 330 a second",
  },
  {
    cves: "-",
    name: "window updates of one byte, frames for closed streams, GOAWAY frames",
    answer: "`--max-overhead-bytes-per-second`",
  },
  {
    cves: "CVE-2016-1546",
    name: "slow handshake, no preface, slow headers",
    answer:
      "`--handshake-timeout-ms`, `--max-handshakes`, `--header-timeout-ms`, `--peer-ping-timeout-ms`",
  },
];
