import type { RowSpec } from "./panel.ts";
import { CLUSTER, LINK, RATE } from "./selectors.ts";

const EGRESS = `${LINK}, role="egress"`;
/** Here `link` is the consumer. */
const INGRESS = `${CLUSTER}, role="ingress"`;

const EGRESS_ROW: RowSpec = {
  title: "Gateways: egress, to providers",
  perLine: 4,
  panels: [
    {
      title: "Connections by result",
      description: "Streams that ended: ended, reset, refused.",
      unit: "cps",
      queries: [
        {
          expr: `sum by (link, result) (rate(isthmus_gateway_streams_total{${EGRESS}}${RATE}))`,
          legend: "{{link}} {{result}}",
        },
      ],
    },
    {
      title: "Refused connections by Service and reason",
      description: "What the provider's ingress said, or why it could not be asked.",
      unit: "cps",
      queries: [
        {
          expr: `sum by (link, service, reason) (rate(isthmus_gateway_streams_total{${EGRESS}, result="refused"}${RATE}))`,
          legend: "{{link}} {{service}} {{reason}}",
        },
      ],
    },
    {
      title: "Open connections",
      description: "Streams that carry a connection now.",
      queries: [
        {
          expr: `sum by (link) (isthmus_gateway_active_streams{${EGRESS}})`,
          legend: "{{link}}",
        },
      ],
    },
    {
      title: "Payload",
      description: "Counted when a stream ends.",
      unit: "Bps",
      queries: [
        {
          expr: `sum by (link, direction) (rate(isthmus_gateway_bytes_total{${EGRESS}}${RATE}))`,
          legend: "{{link}} {{direction}}",
        },
      ],
    },
    {
      title: "Sessions by state",
      description: "live, connecting, replacing, waiting; by address of the remote gateway.",
      stacked: true,
      queries: [
        {
          expr: `sum by (link, address, state) (isthmus_gateway_sessions{${LINK}})`,
          legend: "{{link}} {{address}} {{state}}",
        },
      ],
    },
    {
      title: "Session failures by reason",
      description: "Sessions that ended or never began.",
      queries: [
        {
          expr: `sum by (link, address, reason) (increase(isthmus_gateway_session_failures_total{${LINK}}${RATE}))`,
          legend: "{{link}} {{address}} {{reason}}",
        },
      ],
    },
    {
      title: "Round trip: p50 and p99",
      description: "Of PINGs over the sessions.",
      unit: "s",
      queries: [0.5, 0.99].map((share) => ({
        expr: `histogram_quantile(${share}, sum by (link, address, le) (rate(isthmus_gateway_ping_rtt_seconds_bucket{${LINK}}${RATE})))`,
        legend: `{{link}} {{address}} p${share * 100}`,
      })),
    },
    {
      title: "Links by gateway",
      description: "1 while a gateway's own sessions of the link are up.",
      queries: [
        {
          expr: `max by (pod, link) (isthmus_gateway_link_up{${LINK}})`,
          legend: "{{pod}} {{link}}",
        },
      ],
    },
    {
      title: "Streams by address",
      description: "Whether sessions to all addresses of a remote gateway are used.",
      queries: [
        {
          expr: `sum by (link, address) (isthmus_gateway_address_streams{${LINK}})`,
          legend: "{{link}} {{address}}",
        },
      ],
    },
    {
      title: "Ports that are not listened on",
      description: "By reason: NoSession, MirrorClosed, Draining, or why the Link is not Ready.",
      queries: [
        {
          expr: `sum by (link, reason) (isthmus_gateway_closed_ports{${LINK}})`,
          legend: "{{link}} {{reason}}",
        },
      ],
    },
    {
      title: "Ports that are listened on",
      description: "By gateway.",
      queries: [
        {
          expr: `sum by (pod, link) (isthmus_gateway_listeners{${LINK}})`,
          legend: "{{pod}} {{link}}",
        },
      ],
    },
  ],
};

const INGRESS_ROW: RowSpec = {
  title: "Gateways: ingress, for consumers",
  perLine: 4,
  panels: [
    {
      title: "Connections by result",
      description: "Streams of consumers that ended; answered ones are probes.",
      unit: "cps",
      queries: [
        {
          expr: `sum by (link, result) (rate(isthmus_gateway_streams_total{${INGRESS}}${RATE}))`,
          legend: "{{link}} {{result}}",
        },
      ],
    },
    {
      title: "Sessions",
      description: "With each consumer.",
      queries: [
        {
          expr: `sum by (consumer) (isthmus_gateway_ingress_sessions{${CLUSTER}})`,
          legend: "{{consumer}}",
        },
      ],
    },
    {
      title: "Payload",
      description: "toRemote leaves this cluster. Counted when a stream ends.",
      unit: "Bps",
      queries: [
        {
          expr: `sum by (link, direction) (rate(isthmus_gateway_bytes_total{${INGRESS}}${RATE}))`,
          legend: "{{link}} {{direction}}",
        },
      ],
    },
    {
      title: "Payload held",
      description: "Read from one side, and not yet taken by the other.",
      unit: "bytes",
      queries: [
        {
          expr: `sum by (consumer) (isthmus_gateway_buffered_bytes{${CLUSTER}})`,
          legend: "{{consumer}}",
        },
      ],
    },
    {
      title: "Clients refused before a session",
      description: "By the reason why a certificate is not accepted, or an error code.",
      queries: [
        {
          expr: `sum by (reason) (increase(isthmus_gateway_ingress_refused_total{${CLUSTER}}${RATE}))`,
          legend: "{{reason}}",
        },
      ],
    },
    {
      title: "Join tokens",
      description: "Tries to use one, by result.",
      queries: [
        {
          expr: `sum by (result) (increase(isthmus_gateway_joins_total{${CLUSTER}}${RATE}))`,
          legend: "{{result}}",
        },
      ],
    },
    {
      title: "Bounds reached",
      description: "docs/LIMITS.md says what each bound is and what is beyond it.",
      queries: [
        {
          expr: `sum by (role, bound, link) (increase(isthmus_gateway_bound_reached_total{${CLUSTER}}${RATE}))`,
          legend: "{{role}} {{bound}} {{link}}",
        },
      ],
    },
  ],
};

/** What is carried. */
export const TRAFFIC_ROWS: readonly RowSpec[] = [EGRESS_ROW, INGRESS_ROW];
