import { z } from "zod";

/** RFC 1123 label, as Kubernetes checks Service and namespace names. */
export const DNS_LABEL_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const DNS_LABEL_REGEX = new RegExp(DNS_LABEL_PATTERN);
export const DNS_LABEL_MAX_LENGTH = 63;

export const dnsLabelSchema = z.string().min(1).max(DNS_LABEL_MAX_LENGTH).regex(DNS_LABEL_REGEX);

/** Whether `text` may name a Service, a namespace or a cluster. */
export function isDnsLabel(text: string): boolean {
  return text.length <= DNS_LABEL_MAX_LENGTH && DNS_LABEL_REGEX.test(text);
}

/** RFC 1035 label: what a Service's name must be (it may not begin with a digit). */
export function isServiceName(text: string): boolean {
  return isDnsLabel(text) && !/^[0-9]/.test(text);
}

export const identitySchema = z
  .string()
  .min(1)
  .max(512)
  .regex(/^spiffe:\/\/[a-z0-9]([-a-z0-9]*[a-z0-9])?\/isthmus\/gateway$/);

/** The PEM of one or more certificates. */
export const trustBundleSchema = z
  .string()
  .min(1)
  .max(65_536)
  .regex(/-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----/);
