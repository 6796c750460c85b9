import { A, type AlertCase, B, gateway } from "./alert-case.ts";

const RECONCILES = 'isthmus_controller_reconcile_duration_seconds_count{controller="mirror"';
const HEARD = "isthmus_kube_reflector_last_byte_timestamp_seconds";
const G1 = gateway("1");
const G2 = gateway("2");
const POD_A = { namespace: "isthmus-system", pod: "isthmus-controller-a" };
const POD_1 = { namespace: "isthmus-system", pod: "isthmus-gateway-1" };
const JOB_A = { ...POD_A, job: "isthmus-controller" };
const JOB_1 = { ...POD_1, job: "isthmus-gateway" };

/** Alerts about the processes, the cluster's API and this cluster's certificates. */
export const PROCESS_ALERT_CASES: readonly AlertCase[] = [
  {
    alert: "IsthmusNoLeader",
    when: "the leader is gone and the other replica does not follow",
    series: {
      [`isthmus_leader{lease="isthmus-controller", ${A}}`]: "1x8 stale",
      [`isthmus_leader{lease="isthmus-controller", ${B}}`]: "0x40",
    },
    quietAt: ["3m"],
    fires: { at: "3m15s", labels: {} },
  },
  {
    alert: "IsthmusNoLeader",
    when: "another cluster's controllers are all that is scraped of any",
    series: {
      [`isthmus_leader{cluster="north", ${A}}`]: "1x40",
      [`isthmus_gateway_draining{cluster="north", ${G1}}`]: "0x40",
      [`isthmus_gateway_draining{cluster="south", ${G1}}`]: "0x40",
    },
    quietAt: ["45s"],
    fires: { at: "1m", labels: { cluster: "south" } },
  },
  {
    alert: "IsthmusReconcileErrors",
    when: "errors go on after a restart; successes do not count",
    series: {
      [`${RECONCILES}, outcome="error", ${A}}`]: "0+1x40 stale",
      [`${RECONCILES}, outcome="error", ${B}}`]: "_x44 0+1x80",
      [`${RECONCILES}, outcome="success", ${A}}`]: "0+9x120",
    },
    quietAt: ["12m"],
    fires: { at: "20m", labels: { controller: "mirror", outcome: "error" } },
  },
  {
    alert: "IsthmusRequestsForbidden",
    when: "a right is missing",
    series: {
      [`isthmus_kube_requests_total{verb="watch", resource="services", code="403", ${A}}`]:
        "0+1x60",
      [`isthmus_kube_requests_total{verb="watch", resource="services", code="200", ${A}}`]:
        "0+9x60",
    },
    quietAt: ["4m"],
    fires: {
      at: "7m",
      labels: { job: "isthmus-controller", verb: "watch", resource: "services" },
    },
  },
  {
    alert: "IsthmusReflectorSilent",
    when: "one watch of the own cluster is silent; that of a provider is another alert's matter",
    series: {
      [`${HEARD}{reflector="services", ${A}}`]: "0x60",
      [`${HEARD}{reflector="west/services", ${A}}`]: "0x60",
      [`${HEARD}{reflector="services", ${B}}`]: "0+15x60",
    },
    quietAt: ["6m"],
    fires: { at: "6m15s", labels: { ...POD_A, reflector: "services" } },
  },
  {
    alert: "IsthmusNoGateway",
    when: "every gateway drains",
    series: { [`isthmus_gateway_draining{${G1}}`]: "0x8 1x40" },
    quietAt: ["3m"],
    fires: { at: "3m15s", labels: {} },
  },
  {
    alert: "IsthmusNoGateway",
    when: "another cluster's gateways are all that is scraped of any",
    series: {
      [`isthmus_gateway_draining{cluster="north", ${G1}}`]: "0x40",
      [`isthmus_leader{cluster="north", ${A}}`]: "1x40",
      [`isthmus_leader{cluster="south", ${A}}`]: "1x40",
    },
    quietAt: ["45s"],
    fires: { at: "1m", labels: { cluster: "south" } },
  },
  {
    alert: "IsthmusTargetDown",
    when: "a pod of ours does not answer; others are not ours",
    series: {
      [`up{${A}}`]: "1x4 0x40",
      [`up{${G1}}`]: "1x44",
      [`up{job="node"}`]: "0x44",
    },
    quietAt: ["4m"],
    fires: { at: "4m15s", labels: JOB_A },
  },
  {
    alert: "IsthmusRestarting",
    when: "a container is started a third time; a rollout replaces pods",
    series: {
      [`process_start_time_seconds{${G1}}`]: "1x8 120x8 240x8 400x40",
      [`process_start_time_seconds{${G2}}`]: "1x8 stale",
      [`process_start_time_seconds{${gateway("3")}}`]: "_x9 130x40",
    },
    quietAt: ["6m30s"],
    fires: { at: "6m45s", labels: JOB_1 },
  },
  {
    alert: "IsthmusGatewayLinkDown",
    when: "one gateway has no session of a link that is Ready",
    series: {
      [`isthmus_gateway_link_up{link="west", ${G1}}`]: "1x4 0x40",
      [`isthmus_gateway_link_admitted{link="west", ${G1}}`]: "1x44",
      [`isthmus_gateway_link_up{link="west", ${G2}}`]: "1x44",
      [`isthmus_gateway_link_admitted{link="west", ${G2}}`]: "1x44",
      [`isthmus_gateway_link_up{link="north", ${G1}}`]: "0x44",
      [`isthmus_gateway_link_admitted{link="north", ${G1}}`]: "0x44",
    },
    quietAt: ["3m"],
    fires: { at: "3m15s", labels: { ...POD_1, link: "west" } },
  },
  {
    alert: "IsthmusSessionsFlapping",
    when: "failures go on; those of one restart of the remote do not",
    series: {
      [`isthmus_gateway_session_failures_total{link="west", address="192.0.2.1:15008", reason="SessionLost", ${G1}}`]:
        "0+1x80",
      [`isthmus_gateway_session_failures_total{link="north", address="192.0.2.9:15008", reason="SessionLost", ${G1}}`]:
        "0x8 6x80",
    },
    quietAt: ["10m"],
    fires: { at: "13m", labels: { link: "west", address: "192.0.2.1:15008" } },
  },
  {
    alert: "IsthmusStreamsRefused",
    when: "a tenth is refused, over another link a hundredth",
    series: {
      [`isthmus_gateway_streams_total{role="egress", link="west", result="refused", service="shop/web", ${G1}}`]:
        "0+1x40",
      [`isthmus_gateway_streams_total{role="egress", link="west", result="ended", service="shop/web", ${G2}}`]:
        "0+9x40",
      [`isthmus_gateway_streams_total{role="egress", link="north", result="refused", service="shop/web", ${G1}}`]:
        "0+1x40",
      [`isthmus_gateway_streams_total{role="egress", link="north", result="ended", service="shop/web", ${G1}}`]:
        "0+99x40",
    },
    quietAt: ["5m"],
    fires: { at: "5m30s", labels: { role: "egress", link: "west" } },
  },
  {
    alert: "IsthmusBoundReached",
    when: "a bound was reached once, with which its series begins",
    series: {
      [`isthmus_gateway_bound_reached_total{role="ingress", bound="Connections", link="east", ${G1}}`]:
        "_x8 1x60",
      [`isthmus_gateway_bound_reached_total{role="ingress", bound="Silence", link="east", ${G1}}`]:
        "_x8 1x60",
    },
    quietAt: ["1m45s", "13m"],
    fires: { at: "2m", labels: { role: "ingress", bound: "Connections", link: "east" } },
  },
  {
    alert: "IsthmusClientsRefused",
    when: "a cluster without a Peer goes on trying; a load balancer's check resets its connections",
    series: {
      [`isthmus_gateway_ingress_refused_total{reason="Handshake", ${G1}}`]: "0+3x60",
      [`isthmus_gateway_ingress_refused_total{reason="UnknownProtocol", ${G1}}`]: "0+1x60",
      [`isthmus_gateway_ingress_refused_total{reason="ECONNRESET", ${G1}}`]: "0+9x60",
    },
    quietAt: ["5m"],
    fires: { at: "8m", labels: { reason: "Handshake" } },
  },
  {
    alert: "IsthmusJoinsRefused",
    when: "a secret is guessed at both gateways; one second try of a used token is none of it",
    series: {
      [`isthmus_gateway_joins_total{result="SecretWrong", ${G1}}`]: "_x8 1x4 2x60",
      [`isthmus_gateway_joins_total{result="SecretWrong", ${G2}}`]: "_x12 1x60",
      [`isthmus_gateway_joins_total{result="TokenUsed", ${G2}}`]: "_x8 1x60",
      [`isthmus_gateway_joins_total{result="Joined", ${G2}}`]: "_x8 1x4 9x60",
    },
    quietAt: ["2m45s", "16m"],
    fires: { at: "4m", labels: { result: "SecretWrong" } },
  },
  {
    alert: "IsthmusPeerInvalid",
    when: "every gateway says so of one Peer",
    series: {
      [`isthmus_gateway_peer_invalid{peer="east", ${G1}}`]: "1x20",
      [`isthmus_gateway_peer_invalid{peer="east", ${G2}}`]: "1x20",
    },
    quietAt: ["45s"],
    fires: { at: "1m", labels: { peer: "east" } },
  },
  {
    alert: "IsthmusListenFailed",
    when: "a port is taken",
    series: { [`isthmus_gateway_listen_errors_total{code="EADDRINUSE", ${G1}}`]: "0+4x20" },
    quietAt: ["1m"],
    fires: { at: "1m15s", labels: { ...POD_1, code: "EADDRINUSE" } },
  },
  {
    alert: "IsthmusGatewaySaturated",
    when: "a gateway uses a core, and so does a controller",
    series: {
      [`process_cpu_seconds_total{${G1}}`]: "0+14.5x100",
      [`process_cpu_seconds_total{${G2}}`]: "0+8x100",
      [`process_cpu_seconds_total{${A}}`]: "0+15x100",
    },
    quietAt: ["15m"],
    fires: { at: "20m", labels: JOB_1 },
  },
  {
    alert: "IsthmusCertificateExpiring",
    when: "one gateway has not loaded the new certificate",
    series: {
      [`isthmus_gateway_leaf_not_after_seconds{${G1}}`]: "14500x40",
      [`isthmus_gateway_leaf_not_after_seconds{${G2}}`]: "86400x40",
    },
    quietAt: ["6m30s"],
    fires: { at: "6m45s", labels: POD_1 },
  },
  {
    alert: "IsthmusCertificateExpiring",
    when: "a gateway has no certificate",
    series: { [`isthmus_gateway_leaf_not_after_seconds{${G1}}`]: "0x40" },
    quietAt: ["4m45s"],
    fires: { at: "5m", labels: POD_1 },
  },
  {
    alert: "IsthmusAuthorityExpiring",
    when: "the CA has 30 days left, and the one that follows it has years",
    series: {
      [`isthmus_certificate_expiry_timestamp_seconds{certificate="authority", ${A}}`]:
        "2592100x280",
      [`isthmus_certificate_expiry_timestamp_seconds{certificate="authority-next", ${A}}`]:
        "9e8x280",
    },
    quietAt: ["1h1m30s"],
    fires: { at: "1h1m45s", labels: {} },
  },
  {
    alert: "IsthmusRotationStuck",
    when: "a phase lasts through a change of leaders; a rotation of two hours does not",
    interval: "5m",
    series: {
      [`isthmus_authority_rotation_phase{phase="announced", cluster="east", ${A}}`]:
        "0x5 1x80 stale",
      [`isthmus_authority_rotation_phase{phase="announced", cluster="east", ${B}}`]: "_x89 1x80",
      [`isthmus_authority_rotation_phase{phase="switched", cluster="south", ${A}}`]:
        "0x5 1x24 0x140",
      [`isthmus_authority_rotation_phase{phase="idle", cluster="north", ${A}}`]: "1x170",
    },
    quietAt: ["10h"],
    fires: { at: "12h", labels: { cluster: "east" } },
  },
];
