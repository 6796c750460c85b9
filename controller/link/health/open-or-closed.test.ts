import { expect, it } from "vitest";
import { REASONS } from "../../../api/reasons.ts";
import { NO_PROBES } from "../gateway-probe/probe-history.ts";
import type { HealthInputs } from "./health-inputs.ts";
import { NO_OPENINGS } from "./reopening.ts";
import { DENIAL_GRACE_MS } from "./ready-policies.ts";
import {
  down,
  HEALTHY,
  MISSING,
  NOW_MS,
  opens,
  probed,
  RECORDED_OPEN,
  REFUSED,
  REJECTED,
  STALENESS_MS,
  UNHEARD,
} from "./sample-inputs.ts";

it.each<{ name: string; inputs: HealthInputs; open: boolean }>([
  { name: "never before the first answers", inputs: UNHEARD, open: false },
  {
    name: "while the API is lost within the bound",
    inputs: { ...HEALTHY, api: { synced: true, lastHeardMs: NOW_MS - 1, failure: REFUSED } },
    open: true,
  },
  {
    name: "not when the API is lost beyond the bound",
    inputs: {
      ...HEALTHY,
      api: { synced: true, lastHeardMs: NOW_MS - STALENESS_MS, failure: REFUSED },
    },
    open: false,
  },
  {
    name: "while a Secret is missing within the bound",
    inputs: {
      ...HEALTHY,
      credentials: { verified: true, unusable: { ...MISSING, sinceMs: NOW_MS - 1000 } },
    },
    open: true,
  },
  {
    name: "not when a Secret is missing beyond the bound, whatever the API says",
    inputs: {
      ...HEALTHY,
      credentials: { verified: true, unusable: { ...MISSING, sinceMs: NOW_MS - STALENESS_MS } },
    },
    open: false,
  },
  {
    name: "while a denial has only just begun",
    inputs: {
      ...HEALTHY,
      credentials: { verified: false, denial: { ...REJECTED, sinceMs: NOW_MS } },
    },
    open: true,
  },
  {
    name: "not for a moment when credentials were revoked, though all else goes on",
    inputs: {
      ...HEALTHY,
      credentials: {
        verified: true,
        refused: { reason: REASONS.CredentialsRevoked, message: "deleted" },
      },
    },
    open: false,
  },
  {
    name: "not in a replica that does not lead",
    inputs: { ...HEALTHY, leading: false },
    open: false,
  },
  {
    name: "again once a link that kept falling was closed for long enough",
    inputs: { ...HEALTHY, openings: { ...NO_OPENINGS, quickFalls: 2, heldUntilMs: NOW_MS } },
    open: true,
  },
  {
    name: "not when the provider goes on saying no",
    inputs: {
      ...HEALTHY,
      credentials: {
        verified: false,
        denial: { ...REJECTED, sinceMs: NOW_MS - DENIAL_GRACE_MS },
      },
    },
    open: false,
  },
  {
    name: "after a restart of a link that was open, until the first probe",
    inputs: {
      ...UNHEARD,
      api: { synced: false, lastHeardMs: NOW_MS },
      recorded: RECORDED_OPEN,
    },
    open: true,
  },
  {
    name: "not after a restart once the first probe has failed",
    inputs: {
      ...UNHEARD,
      api: { synced: false, lastHeardMs: NOW_MS },
      gateway: probed(down("refused")),
      recorded: RECORDED_OPEN,
    },
    open: false,
  },
  {
    name: "not after a restart when the first probe gave no result in time",
    inputs: {
      ...UNHEARD,
      nowMs: RECORDED_OPEN.gatewayUntilMs,
      api: { synced: false, lastHeardMs: NOW_MS },
      recorded: RECORDED_OPEN,
    },
    open: false,
  },
  {
    name: "not after a restart of a link that was closed, before a probe",
    inputs: {
      ...HEALTHY,
      gateway: probed(NO_PROBES),
      recorded: { ...RECORDED_OPEN, open: false },
    },
    open: false,
  },
])("a link is open $name", ({ inputs, open }) => {
  expect(opens(inputs)).toBe(open);
});
