import { parseArgs } from "node:util";
import { type GatewayLimits, flagOf, gatewayLimitsSchema } from "../../gateway/limits/limits.ts";
import { parseNamed } from "../settings/settings.ts";

const LIMITS = Object.keys(gatewayLimitsSchema.shape);

/**
 * Reads the flags that are bounds (docs/LIMITS.md), and returns the others
 * untouched.
 * @throws Error whose message names each flag that is wrong and what it should be.
 */
export function readLimitFlags(args: readonly string[]): {
  limits: GatewayLimits;
  otherArgs: string[];
} {
  const byFlag = new Map(LIMITS.map((limit) => [flagOf(limit), limit]));
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries([...byFlag.keys()].map((flag) => [flag, { type: "string" }])),
    strict: false,
    tokens: true,
  });
  const values: Record<string, string | undefined> = {};
  const taken = new Set<number>();
  for (const token of tokens) {
    const limit = token.kind === "option" ? byFlag.get(token.name) : undefined;
    if (token.kind !== "option" || limit === undefined) continue;
    // Coerced, nothing at all would be 0.
    values[limit] = token.value || "nothing";
    taken.add(token.index);
    if (token.inlineValue === false) taken.add(token.index + 1);
  }
  return {
    limits: parseNamed(gatewayLimitsSchema, values, (limit) => `--${flagOf(limit)}`),
    otherArgs: args.filter((_arg, index) => !taken.has(index)),
  };
}
