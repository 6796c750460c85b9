import type { RowSpec } from "./panel.ts";
import { CLUSTER, LINK, RATE } from "./selectors.ts";

/** Only the leader has series about links; with the one before, two may be there for a moment. */
const BY_LINK = "max by (cluster, link)";

const OVERVIEW: RowSpec = {
  title: "Overview",
  perLine: 6,
  panels: [
    {
      title: "Links Ready",
      description: "Links whose condition Ready is True.",
      kind: "stat",
      queries: [
        {
          expr: `sum(${BY_LINK} (isthmus_link_condition{${LINK}, condition="Ready", status="True"}))`,
          legend: "Ready",
        },
      ],
      greenFrom: 1,
    },
    {
      title: "Links not Ready",
      description: "All mirrors of such a Link are closed.",
      kind: "stat",
      queries: [
        {
          expr: `count(${BY_LINK} (isthmus_link_condition{${LINK}, condition="Ready", status="True"}) == 0) or vector(0)`,
          legend: "not Ready",
        },
      ],
      redFrom: 1,
    },
    {
      title: "Mirrors open",
      description: "Mirror Services that take connections.",
      kind: "stat",
      queries: [
        {
          expr: `sum(${BY_LINK} (isthmus_mirrors{${LINK}, state="open"}))`,
          legend: "open",
        },
      ],
    },
    {
      title: "Leaders",
      description: "One for each cluster.",
      kind: "stat",
      queries: [{ expr: `sum(isthmus_leader{${CLUSTER}})`, legend: "leaders" }],
      greenFrom: 1,
    },
    {
      title: "Gateways",
      description: "Gateways that are up and do not drain.",
      kind: "stat",
      queries: [{ expr: `count(isthmus_gateway_draining{${CLUSTER}} == 0)`, legend: "gateways" }],
      greenFrom: 1,
    },
    {
      title: "Alerts",
      description: "Alerts of Isthmus that fire.",
      kind: "stat",
      queries: [
        {
          expr: `count(ALERTS{alertname=~"Isthmus.+", alertstate="firing"}) or vector(0)`,
          legend: "firing",
        },
      ],
      redFrom: 1,
    },
  ],
};

const LINKS: RowSpec = {
  title: "Links, as the leading controller sees them",
  perLine: 3,
  panels: [
    {
      title: "Ready",
      description: "Green while a Link's condition Ready is True.",
      kind: "state-timeline",
      queries: [
        {
          expr: `${BY_LINK} (isthmus_link_condition{${LINK}, condition="Ready", status="True"})`,
          legend: "{{link}}",
        },
      ],
      greenFrom: 1,
    },
    {
      title: "Conditions that are not True",
      description: "What keeps a Link from being Ready.",
      kind: "table",
      queries: [
        {
          expr: `max by (cluster, link, condition, status) (isthmus_link_condition{${LINK}, status!="True"}) == 1`,
          legend: "{{link}} {{condition}}",
        },
      ],
    },
    {
      title: "Changes of conditions",
      description: "By the new reason; a Link that flaps shows here.",
      queries: [
        {
          expr: `sum by (link, condition, reason) (increase(isthmus_link_condition_transitions_total{${LINK}}${RATE}))`,
          legend: "{{link}} {{condition}} {{reason}}",
        },
      ],
    },
    {
      title: "Probes of gateways: p99",
      description: "Duration of good probes of each gateway address.",
      unit: "s",
      queries: [
        {
          expr: `histogram_quantile(0.99, sum by (link, address, le) (rate(isthmus_link_gateway_probe_duration_seconds_bucket{${LINK}}${RATE})))`,
          legend: "{{link}} {{address}}",
        },
      ],
    },
    {
      title: "Probes of gateways by result",
      description: "A result other than ok is the reason of the failure.",
      unit: "ops",
      queries: [
        {
          expr: `sum by (link, result) (rate(isthmus_link_gateway_probes_total{${LINK}}${RATE}))`,
          legend: "{{link}} {{result}}",
        },
      ],
    },
    {
      title: "Gateway addresses up",
      description: "1 while an address of a remote gateway answers the controller's probes.",
      queries: [
        {
          expr: `max by (link, address) (isthmus_link_gateway_address_up{${LINK}})`,
          legend: "{{link}} {{address}}",
        },
      ],
    },
    {
      title: "Provider's API last heard",
      description:
        "Age of the last byte from the provider's API; bookmarks come about once a minute.",
      unit: "s",
      queries: [
        {
          expr: `time() - ${BY_LINK} (isthmus_link_api_last_heard_timestamp_seconds{${LINK}})`,
          legend: "{{link}}",
        },
      ],
    },
    {
      title: "Token has left",
      description: "Until the token in a Link's credentials expires; it is renewed long before.",
      unit: "s",
      queries: [
        {
          expr: `${BY_LINK} (isthmus_link_token_expiry_timestamp_seconds{${LINK}}) - time()`,
          legend: "{{link}}",
        },
      ],
    },
    {
      title: "Renewals of tokens",
      description: "By result; a failed one is tried again.",
      queries: [
        {
          expr: `sum by (link, result) (increase(isthmus_link_token_renewals_total{${LINK}}${RATE}))`,
          legend: "{{link}} {{result}}",
        },
      ],
    },
  ],
};

const MIRRORS: RowSpec = {
  title: "Mirrors and failover",
  perLine: 4,
  panels: [
    {
      title: "Mirrors",
      description: "Mirror Services by link, open and closed.",
      stacked: true,
      queries: [
        {
          expr: `max by (link, state) (isthmus_mirrors{${LINK}})`,
          legend: "{{link}} {{state}}",
        },
      ],
    },
    {
      title: "Closed mirrors by reason",
      description: "NoReadyEndpoints is the provider's own affair; the others are not.",
      stacked: true,
      queries: [
        {
          expr: `max by (link, reason) (isthmus_closed_mirrors{${LINK}})`,
          legend: "{{link}} {{reason}}",
        },
      ],
    },
    {
      title: "Skipped Services by reason",
      description: "Exported Services that have no mirror.",
      stacked: true,
      queries: [
        {
          expr: `max by (link, reason) (isthmus_mirror_skipped_services{${LINK}})`,
          legend: "{{link}} {{reason}}",
        },
      ],
    },
    {
      title: "Egress ports in use",
      description: "Of the 19998 that mirrors can have.",
      queries: [
        { expr: `max by (cluster) (isthmus_mirror_egress_ports{${CLUSTER}})`, legend: "in use" },
      ],
    },
    {
      title: "Writes",
      description: "None in a steady state.",
      unit: "wps",
      queries: [
        {
          expr: `sum by (resource, verb) (rate(isthmus_mirror_writes_total{${CLUSTER}}${RATE}))`,
          legend: "{{verb}} {{resource}}",
        },
        {
          expr: `sum by (resource, verb) (rate(isthmus_failover_writes_total{${CLUSTER}}${RATE}))`,
          legend: "failover: {{verb}} {{resource}}",
        },
        {
          expr: `sum by (link) (rate(isthmus_link_status_writes_total{${LINK}}${RATE}))`,
          legend: "status of {{link}}",
        },
      ],
    },
    {
      title: "Failover by state",
      description: "Services that ask for failover.",
      stacked: true,
      queries: [
        {
          expr: `max by (cluster, state) (isthmus_failover_services{${CLUSTER}})`,
          legend: "{{state}}",
        },
      ],
    },
    {
      title: "Services served elsewhere",
      description:
        "Services without a ready endpoint of their own, and the cluster that serves them.",
      kind: "table",
      queries: [
        {
          expr: `max by (cluster, service, target) (isthmus_failover_active{${CLUSTER}}) == 1`,
          legend: "{{service}} {{target}}",
        },
      ],
    },
    {
      title: "Changes of failover",
      description: "By the reason of their Event.",
      queries: [
        {
          expr: `sum by (reason) (increase(isthmus_failover_transitions_total{${CLUSTER}}${RATE}))`,
          legend: "{{reason}}",
        },
      ],
    },
  ],
};

/** What is decided: links, mirrors, failover. */
export const DECISION_ROWS: readonly RowSpec[] = [OVERVIEW, LINKS, MIRRORS];
