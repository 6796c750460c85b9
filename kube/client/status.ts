import { z } from "zod";

/** Reasons by status code, for answers that give none. */
export const REASON_OF_CODE: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** apimachinery's metav1.StatusReason. Words of a server's own would make labels of metrics without end. */
const REASONS: ReadonlySet<string> = new Set([
  ...Object.values(REASON_OF_CODE),
  "AlreadyExists",
  "Gone",
  "NotAcceptable",
  "ServerTimeout",
  "StoreReadError",
  "UnsupportedMediaType",
]);

const MAX_MESSAGE_CHARS = 4096;
const MAX_CAUSES = 100;

const text = z
  .string()
  .transform((value) => value.slice(0, MAX_MESSAGE_CHARS))
  .optional()
  .catch(undefined);

/** A field of another type than it should have counts as absent: the rest may still tell something. */
const statusSchema = z.object({
  kind: z.literal("Status"),
  message: text,
  reason: z
    .string()
    .refine((value) => REASONS.has(value))
    .optional()
    .catch(undefined),
  code: z.int().min(100).max(599).optional().catch(undefined),
  details: z
    .object({
      name: text,
      group: text,
      kind: text,
      retryAfterSeconds: z.number().optional().catch(undefined),
      causes: z
        .array(z.object({ reason: text, message: text, field: text }))
        .transform((causes) => causes.slice(0, MAX_CAUSES))
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
});

/** The API server's `Status` object, as much of it as we read. */
export type Status = Partial<z.infer<typeof statusSchema>>;

/** A `Status`, as error answers and ERROR events carry it; undefined for anything else. */
export function readStatus(value: unknown): Status | undefined {
  const parsed = statusSchema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
