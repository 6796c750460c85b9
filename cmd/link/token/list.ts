import { createColors } from "picocolors";
import { formatAge } from "../duration.ts";
import { formatTable } from "../table.ts";
import { isUsable, type StoredToken } from "./pending-tokens.ts";

/** A token as it is shown: nothing of it is secret. */
export interface TokenReport {
  readonly consumer: string;
  /** `pending`, or `used` where the gateway is just about to remove it. */
  readonly state: "pending" | "used";
  readonly uses: number;
  readonly usesLeft: number;
  readonly expiresAt: string;
  /** URL of the API server that the consumer is told. */
  readonly server: string;
}

export interface TokensReport {
  readonly tokens: readonly TokenReport[];
}

/** What a cluster's tokens are at `nowMs`. */
export function tokensReport(stored: readonly StoredToken[], nowMs: number): TokensReport {
  const tokens = stored.flatMap((token): TokenReport[] => {
    const { consumer, pending } = token;
    if (pending === undefined) return [];
    const { uses, usesLeft, expiresAt, apiServer } = pending;
    const state = isUsable(token, nowMs) ? "pending" : "used";
    return [{ consumer, state, uses, usesLeft, expiresAt, server: apiServer.url }];
  });
  return { tokens };
}

/** A report as a table for people; times are counted from `nowMs`. */
export function formatTokens(
  { tokens }: TokensReport,
  { nowMs, useColor }: { nowMs: number; useColor: boolean },
): string {
  if (tokens.length === 0)
    return "No join tokens are pending (link token issue --consumer NAME).\n";
  const rows = tokens.map(({ consumer, state, uses, usesLeft, expiresAt, server }) => [
    consumer,
    state,
    `${usesLeft} of ${uses}`,
    formatAge(Date.parse(expiresAt) - nowMs),
    server,
  ]);
  const head = ["CONSUMER", "STATE", "USES LEFT", "EXPIRES IN", "SERVER"];
  return `${formatTable(head, rows, createColors(useColor))}\n`;
}
