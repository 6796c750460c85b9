import { parseArgs } from "node:util";
import { z } from "zod";

/** What the flags and the environment of both processes have in common. */
export const portSchema = z.coerce.number().int().min(0).max(65_535);
export const logLevelSchema = z.literal(["trace", "debug", "info", "warn", "error", "fatal"]);

/**
 * Reads the flags of a process, each `--name value`, by their schema.
 * @throws Error whose message names each flag that is wrong and what it should be.
 */
export function readFlags<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape, z.core.$strict>,
  args: readonly string[],
): z.infer<z.ZodObject<Shape, z.core.$strict>> {
  const names = Object.keys(schema.shape);
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
  });
  return parse(schema, values, "--");
}

/**
 * Reads the variables a process looks at, by their schema.
 * @throws Error whose message names each variable that is wrong and what it should be.
 */
export function readEnvironment<T>(schema: z.ZodType<T>, environment: NodeJS.ProcessEnv): T {
  return parse(schema, environment, "");
}

function parse<T>(schema: z.ZodType<T>, values: unknown, prefix: string): T {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    ({ path, message }) => `${prefix}${path.join(".")}: ${message}`,
  );
  throw new Error(issues.join("; "));
}
