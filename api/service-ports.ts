import type { ServicePort } from "./objects.ts";

/** Whether it is a TCP port; no other protocol is carried. */
export function isTcp({ protocol }: ServicePort): boolean {
  return (protocol ?? "TCP") === "TCP";
}

/** Whether an annotation means this port, by its name or its number. */
export function isPort({ name, port }: ServicePort, item: string): boolean {
  return name === item || String(port) === item;
}
