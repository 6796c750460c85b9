import { parseArgs } from "node:util";
import { z } from "zod";
import { errorMessage } from "../../api/errors.ts";
import { parseNamespaceList } from "../../api/namespace-list.ts";

/** What the flags and the environment of both processes have in common. */
export const portSchema = z.coerce.number().int().min(0).max(65_535);
export const logLevelSchema = z.literal(["trace", "debug", "info", "warn", "error", "fatal"]);

/** Names with commas between, as ConfigMap isthmus-config has them. */
export const namespaceListSchema = z.string().transform((text, context) => {
  try {
    return parseNamespaceList(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: errorMessage(error) });
    return z.NEVER;
  }
});

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
  return parseNamed(schema, values, (name) => `--${name}`);
}

/**
 * Reads the variables a process looks at, by their schema.
 * @throws Error whose message names each variable that is wrong and what it should be.
 */
export function readEnvironment<T>(schema: z.ZodType<T>, environment: NodeJS.ProcessEnv): T {
  return parseNamed(schema, environment, (name) => name);
}

/**
 * Parses values by their schema.
 * @throws Error whose message names each that is wrong, as `nameOf` says, and what it should be.
 */
export function parseNamed<T>(
  schema: z.ZodType<T>,
  values: unknown,
  nameOf: (key: string) => string,
): T {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    ({ path, message }) => `${nameOf(path.join("."))}: ${message}`,
  );
  throw new Error(issues.join("; "));
}
