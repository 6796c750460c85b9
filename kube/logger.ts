import { type DestinationStream, type Logger as PinoLogger, pino } from "pino";

export type Logger = PinoLogger;

/** Field names whose values are credentials wherever they turn up, down to the third level. */
const SECRET_FIELDS = [
  "token",
  "accessToken",
  "authorization",
  "Authorization",
  "password",
  "kubeconfig",
  "privateKey",
  "keyData",
  "certData",
  '["tls.key"]',
];

/**
 * A JSON logger that replaces tokens, passwords, private keys and kubeconfigs
 * by `[redacted]`.
 *
 * @param options.level pino level such as `info`, which is the default
 * @param options.destination standard output when absent
 */
export function createLogger(options: {
  name: string;
  level?: string;
  destination?: DestinationStream;
}): Logger {
  const settings = {
    name: options.name,
    level: options.level ?? "info",
    redact: {
      paths: SECRET_FIELDS.flatMap((field) => {
        const step = field.startsWith("[") ? field : `.${field}`;
        return [field, `*${step}`, `*.*${step}`];
      }),
      censor: "[redacted]",
    },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
