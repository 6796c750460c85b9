import type { RowSpec } from "./panel.ts";
import { CLUSTER, LINK, RATE } from "./selectors.ts";

const JOBS = `${CLUSTER}, job=~"isthmus-(controller|gateway)"`;

const CONTROL_ROW: RowSpec = {
  title: "Controller, API servers, certificates",
  perLine: 4,
  panels: [
    {
      title: "Reconciles by outcome",
      description: "error is tried again, terminal is not.",
      unit: "ops",
      queries: [
        {
          expr: `sum by (controller, outcome) (rate(isthmus_controller_reconcile_duration_seconds_count{${CLUSTER}}${RATE}))`,
          legend: "{{controller}} {{outcome}}",
        },
      ],
    },
    {
      title: "Reconciles: p99",
      description: "Duration of a reconcile.",
      unit: "s",
      queries: [
        {
          expr: `histogram_quantile(0.99, sum by (controller, le) (rate(isthmus_controller_reconcile_duration_seconds_bucket{${CLUSTER}}${RATE})))`,
          legend: "{{controller}}",
        },
      ],
    },
    {
      title: "Requests that wait",
      description: "For a worker of the controller.",
      queries: [
        {
          expr: `max by (controller) (isthmus_controller_queue_depth{${CLUSTER}})`,
          legend: "{{controller}}",
        },
      ],
    },
    {
      title: "Requests to API servers",
      description: "This cluster's and those of providers, by verb and HTTP status.",
      unit: "reqps",
      queries: [
        {
          expr: `sum by (job, verb, code) (rate(isthmus_kube_requests_total{${CLUSTER}}${RATE}))`,
          legend: "{{job}} {{verb}} {{code}}",
        },
      ],
    },
    {
      title: "Watches last heard",
      description: "The age of the watch that has been silent for the longest.",
      unit: "s",
      queries: [
        {
          expr: `time() - min by (job, reflector) (isthmus_kube_reflector_last_byte_timestamp_seconds{${CLUSTER}})`,
          legend: "{{job}} {{reflector}}",
        },
      ],
    },
    {
      title: "Failed lists and watches",
      description: "By watch and reason.",
      queries: [
        {
          expr: `sum by (reflector, reason) (increase(isthmus_kube_reflector_errors_total{${CLUSTER}}${RATE}))`,
          legend: "{{reflector}} {{reason}}",
        },
      ],
    },
    {
      title: "Certificates have left",
      description: "This cluster's CA, the certificate of its gateways, and what its Links trust.",
      unit: "s",
      queries: [
        {
          expr: `max by (cluster, certificate) (isthmus_certificate_expiry_timestamp_seconds{${CLUSTER}}) - time()`,
          legend: "{{certificate}}",
        },
        {
          expr: `min by (cluster) (isthmus_gateway_leaf_not_after_seconds{${CLUSTER}}) - time()`,
          legend: "as the gateways use it",
        },
        {
          expr: `max by (cluster, link) (isthmus_link_trust_expiry_timestamp_seconds{${LINK}}) - time()`,
          legend: "trusted by {{link}}",
        },
      ],
    },
    {
      title: "Rotation of the CA",
      description: "The phase that it is in.",
      kind: "state-timeline",
      queries: [
        {
          expr: `max by (phase) (isthmus_authority_rotation_phase{${CLUSTER}})`,
          legend: "{{phase}}",
        },
      ],
      greenFrom: 1,
    },
  ],
};

const PROCESS_ROW: RowSpec = {
  title: "Processes",
  perLine: 4,
  panels: [
    {
      title: "CPU",
      description: "In cores; one event loop cannot use much more than one.",
      queries: [{ expr: `rate(process_cpu_seconds_total{${JOBS}}${RATE})`, legend: "{{pod}}" }],
    },
    {
      title: "Memory",
      description: "Resident.",
      unit: "bytes",
      queries: [{ expr: `process_resident_memory_bytes{${JOBS}}`, legend: "{{pod}}" }],
    },
    {
      title: "Delay of the event loop: p99",
      description: "How long work waits in the process.",
      unit: "s",
      queries: [{ expr: `nodejs_eventloop_lag_p99_seconds{${JOBS}}`, legend: "{{pod}}" }],
    },
    {
      title: "Open files",
      description: "Connections are most of them.",
      queries: [{ expr: `process_open_fds{${JOBS}}`, legend: "{{pod}}" }],
    },
  ],
};

/** The processes, what they ask of API servers, and what their trust rests on. */
export const PROCESS_ROWS: readonly RowSpec[] = [CONTROL_ROW, PROCESS_ROW];
