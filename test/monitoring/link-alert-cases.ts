import { A, type AlertCase, B } from "./alert-case.ts";

const READY = 'isthmus_link_condition{condition="Ready", status="True"';
const REACHABLE = 'isthmus_link_condition{condition="ApiReachable", status="True"';
const TRANSITIONS = 'isthmus_link_condition_transitions_total{condition="Ready"';

/** Alerts about links, mirrors and failover, whose series only a leader has. */
export const LINK_ALERT_CASES: readonly AlertCase[] = [
  {
    alert: "IsthmusLinkNotReady",
    when: "a link is down across a change of leaders, which a healthy link is not",
    series: {
      [`${READY}, link="west", ${A}}`]: "1x8 0x8 stale",
      [`${READY}, link="west", ${B}}`]: "_x20 0x20",
      [`${READY}, link="north", ${A}}`]: "1x17 stale",
      [`${READY}, link="north", ${B}}`]: "_x20 1x20",
    },
    quietAt: ["5m"],
    fires: { at: "5m15s", labels: { link: "west" } },
  },
  {
    alert: "IsthmusLinkFlapping",
    when: "one link opens and closes, and another one has closed once",
    series: {
      [`${TRANSITIONS}, reason="NotReady", link="west", ${A}}`]: "0x9 1x9 2x9 3x9 4x9 5x9",
      [`${TRANSITIONS}, reason="LinkReady", link="west", ${A}}`]: "0x4 1x9 2x9 3x9 4x9 5x9",
      [`${TRANSITIONS}, reason="NotReady", link="north", ${A}}`]: "0x9 1x90",
    },
    quietAt: ["5m"],
    fires: { at: "12m", labels: { link: "west" } },
  },
  {
    alert: "IsthmusLinkApiStale",
    when: "the API is lost while the link is still Ready",
    series: {
      [`${REACHABLE}, link="west", ${A}}`]: "1x8 0x30",
      [`${READY}, link="west", ${A}}`]: "1x40",
      [`${REACHABLE}, link="north", ${A}}`]: "1x17 stale",
      [`${REACHABLE}, link="north", ${B}}`]: "_x20 1x20",
    },
    quietAt: ["3m30s"],
    fires: { at: "3m45s", labels: { link: "west" } },
  },
  {
    alert: "IsthmusLinkAddressDown",
    when: "one of two addresses is down",
    series: {
      [`isthmus_link_gateway_address_up{link="west", address="192.0.2.1:15008", ${A}}`]: "1x4 0x60",
      [`isthmus_link_gateway_address_up{link="west", address="192.0.2.2:15008", ${A}}`]: "1x64",
    },
    quietAt: ["8m"],
    fires: { at: "8m15s", labels: { link: "west", address: "192.0.2.1:15008" } },
  },
  {
    alert: "IsthmusLinkTokenExpiring",
    when: "one token was not renewed and the other was",
    series: {
      [`isthmus_link_token_expiry_timestamp_seconds{link="west", ${A}}`]: "1500x80",
      [`isthmus_link_token_expiry_timestamp_seconds{link="north", ${A}}`]: "1500x40 5000x40",
    },
    quietAt: ["16m"],
    fires: { at: "16m15s", labels: { link: "west" } },
  },
  {
    alert: "IsthmusLinkTrustExpiring",
    when: "the bundle has a week left",
    series: {
      [`isthmus_link_trust_expiry_timestamp_seconds{link="west", ${A}}`]: "604900x60",
      [`isthmus_link_trust_expiry_timestamp_seconds{link="north", ${A}}`]: "9e8x60",
    },
    quietAt: ["11m30s"],
    fires: { at: "11m45s", labels: { link: "west" } },
  },
  {
    alert: "IsthmusMirrorsClosed",
    when: "no gateway is ready across a change of leaders; links and endpoints are other alerts' matter",
    series: {
      [`isthmus_closed_mirrors{link="west", reason="NoReadyEgressGateway", ${A}}`]: "0x4 2x8 stale",
      [`isthmus_closed_mirrors{link="west", reason="NoReadyEgressGateway", ${B}}`]: "_x18 2x40",
      [`isthmus_closed_mirrors{link="west", reason="NoReadyEndpoints", ${A}}`]: "5x60",
      [`isthmus_closed_mirrors{link="north", reason="LinkNotReady", ${A}}`]: "5x60",
    },
    quietAt: ["4m"],
    fires: { at: "4m15s", labels: { link: "west", reason: "NoReadyEgressGateway" } },
  },
  {
    alert: "IsthmusMirrorsWithoutEndpoints",
    when: "Services of one link have none for a quarter of an hour",
    series: {
      [`isthmus_closed_mirrors{link="west", reason="NoReadyEndpoints", ${A}}`]: "1x80",
      [`isthmus_closed_mirrors{link="north", reason="NoReadyEndpoints", ${A}}`]: "1x20 0x60",
    },
    quietAt: ["14m45s"],
    fires: { at: "15m", labels: { link: "west" } },
  },
  {
    alert: "IsthmusServicesSkipped",
    when: "a name is taken for a quarter of an hour",
    series: {
      [`isthmus_mirror_skipped_services{link="west", reason="NameTaken", ${A}}`]: "1x80",
      [`isthmus_mirror_skipped_services{link="west", reason="NamespaceMissing", ${A}}`]:
        "1x10 0x70",
    },
    quietAt: ["14m45s"],
    fires: { at: "15m", labels: { link: "west", reason: "NameTaken" } },
  },
  {
    alert: "IsthmusEgressPortsNearlyExhausted",
    when: "the leader has used nine tenths, and the other replica knows of none",
    series: {
      [`isthmus_mirror_egress_ports{cluster="east", ${A}}`]: "18000x60",
      [`isthmus_mirror_egress_ports{cluster="east", ${B}}`]: "0x60",
      [`isthmus_mirror_egress_ports{cluster="south", ${A}}`]: "17000x60",
    },
    quietAt: ["9m45s"],
    fires: { at: "10m", labels: { cluster: "east" } },
  },
  {
    alert: "IsthmusWritesInSteadyState",
    when: "writes go on under the next leader, and those of a join do not",
    series: {
      [`isthmus_mirror_writes_total{resource="services", verb="apply", ${A}}`]: "0+15x80 stale",
      [`isthmus_mirror_writes_total{resource="services", verb="apply", ${B}}`]: "_x84 0+15x120",
      [`isthmus_mirror_writes_total{resource="endpoints", verb="create", ${A}}`]:
        "0+200x8 1600x200",
    },
    quietAt: ["30m"],
    fires: { at: "40m", labels: { resource: "services", verb: "apply" } },
  },
  {
    alert: "IsthmusFailoverActive",
    when: "a Service is served elsewhere for half an hour and two leaders",
    series: {
      [`isthmus_failover_active{service="shop/web", target="west", ${A}}`]: "1x60 stale",
      [`isthmus_failover_active{service="shop/web", target="west", ${B}}`]: "_x63 1x80",
      [`isthmus_failover_active{service="shop/api", target="west", ${A}}`]: "1x40 stale",
    },
    quietAt: ["29m45s"],
    fires: { at: "30m", labels: { service: "shop/web", target: "west" } },
  },
  {
    alert: "IsthmusFailoverClosed",
    when: "a Service has neither endpoints nor a target",
    series: {
      [`isthmus_failover_services{state="closed", ${A}}`]: "0x4 1x20",
      [`isthmus_failover_services{state="standby", ${A}}`]: "3x24",
    },
    quietAt: ["2m"],
    fires: { at: "2m15s", labels: {} },
  },
  {
    alert: "IsthmusFailoverUnprotected",
    when: "a Service has no target",
    series: {
      [`isthmus_failover_services{state="unprotected", ${A}}`]: "1x60",
      [`isthmus_failover_services{state="active", ${A}}`]: "3x60",
    },
    quietAt: ["9m45s"],
    fires: { at: "10m", labels: {} },
  },
];
