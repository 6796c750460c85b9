import { EGRESS_PORT_MAX, EGRESS_PORT_MIN, isEgressPort } from "../../api/names.ts";
import type { Service, ServicePort } from "../../api/objects.ts";

const PORT_COUNT = EGRESS_PORT_MAX - EGRESS_PORT_MIN + 1;

/** Egress port by the identity of the port it serves. */
type Ports = ReadonlyMap<string, number>;

interface Entry {
  /** What the mirror is for: the link and the source. */
  readonly owner: string;
  readonly ports: Ports;
  /** Of two mirrors with one port the older keeps it. */
  readonly createdAt: string;
}

/** Reserved only: younger than whatever the cache holds. */
const NOT_CREATED = "9999";

/**
 * Which mirror has which egress ports. The mirror Services of the cache are
 * the table; reservations bridge the time until a write shows up there, and
 * the time between a mirror's removal by hand and its return.
 */
export class PortAllocator {
  readonly #stored = new Map<string, Entry>();
  readonly #reserved = new Map<string, Entry>();
  readonly #holders = new Map<number, Set<string>>();
  /** By port and failover slice that names it, the source it is for. */
  readonly #pins = new Map<number, Map<string, string>>();

  /** Egress ports that some mirror has. */
  get size(): number {
    return this.#holders.size;
  }

  /** The cache shows this mirror now. */
  store(mirrorKey: string, owner: string, mirror: Service): void {
    const ports = storedPorts(mirror);
    this.#put(this.#stored, mirrorKey, {
      owner,
      ports,
      createdAt: mirror.metadata.creationTimestamp ?? "",
    });
    const reserved = this.#reserved.get(mirrorKey);
    if (
      reserved !== undefined &&
      [...reserved.ports].every(([id, port]) => ports.get(id) === port)
    ) {
      this.#drop(this.#reserved, mirrorKey);
    }
  }

  /** The cache lost this mirror: its ports stay reserved until {@link release} of its owner. */
  unstore(mirrorKey: string): void {
    const entry = this.#stored.get(mirrorKey);
    if (entry === undefined) return;
    if (!this.#reserved.has(mirrorKey)) {
      this.#put(this.#reserved, mirrorKey, { ...entry, createdAt: NOT_CREATED });
    }
    this.#drop(this.#stored, mirrorKey);
  }

  /**
   * The egress ports `mirrorKey` would get for `ports`, in their order: those
   * it has already, then for each other port the first free one from a start
   * that depends on `source` alone. Undefined when there are not enough.
   */
  propose(mirrorKey: string, source: string, ports: readonly ServicePort[]): number[] | undefined {
    const taken = new Set<number>();
    const kept = ports.map((port) => {
      const egressPort = this.#kept(mirrorKey, portId(port));
      if (egressPort === undefined || taken.has(egressPort)) return undefined;
      taken.add(egressPort);
      return egressPort;
    });
    const proposed: number[] = [];
    for (const [index, port] of ports.entries()) {
      const egressPort = kept[index] ?? this.#firstFree(source, portId(port), taken);
      if (egressPort === undefined) return undefined;
      taken.add(egressPort);
      proposed.push(egressPort);
    }
    return proposed;
  }

  /** Keeps others from these ports until the cache shows them with `mirrorKey`. */
  reserve(
    mirrorKey: string,
    owner: string,
    ports: readonly ServicePort[],
    egressPorts: readonly number[],
  ): void {
    const wanted = new Map<string, number>();
    for (const [index, port] of ports.entries()) {
      const egressPort = egressPorts[index];
      if (egressPort !== undefined) wanted.set(portId(port), egressPort);
    }
    const stored = this.#stored.get(mirrorKey)?.ports;
    if (stored !== undefined && [...wanted].every(([id, port]) => stored.get(id) === port)) {
      this.#drop(this.#reserved, mirrorKey);
      return;
    }
    this.#put(this.#reserved, mirrorKey, { owner, ports: wanted, createdAt: NOT_CREATED });
  }

  /** Ends the reservations of `owner`, but for `mirrorKey`'s; what the cache shows stays taken. */
  release(owner: string, exceptMirrorKey?: string): void {
    for (const [mirrorKey, entry] of this.#reserved) {
      if (entry.owner === owner && mirrorKey !== exceptMirrorKey) {
        this.#drop(this.#reserved, mirrorKey);
      }
    }
  }

  /**
   * A failover slice sends connections for `source` to these ports: until it
   * names them no more, nobody else gets them, whatever becomes of the mirror.
   */
  pin(sliceKey: string, source: string, ports: readonly number[]): void {
    for (const port of ports) {
      const pins = this.#pins.get(port) ?? new Map<string, string>();
      this.#pins.set(port, pins.set(sliceKey, source));
    }
  }

  /** The slice names these ports no more. */
  unpin(sliceKey: string, ports: readonly number[]): void {
    for (const port of ports) {
      const pins = this.#pins.get(port);
      pins?.delete(sliceKey);
      if (pins?.size === 0) this.#pins.delete(port);
    }
  }

  #kept(mirrorKey: string, id: string): number | undefined {
    const port =
      this.#reserved.get(mirrorKey)?.ports.get(id) ?? this.#stored.get(mirrorKey)?.ports.get(id);
    if (port === undefined) return undefined;
    const holders = [...(this.#holders.get(port) ?? [])];
    return holders.every((other) => other === mirrorKey || this.#outranks(mirrorKey, other))
      ? port
      : undefined;
  }

  #outranks(left: string, right: string): boolean {
    const ages = [left, right].map((key) => this.#stored.get(key)?.createdAt ?? NOT_CREATED);
    const [leftAge = NOT_CREATED, rightAge = NOT_CREATED] = ages;
    return leftAge === rightAge ? left < right : leftAge < rightAge;
  }

  #firstFree(source: string, id: string, taken: ReadonlySet<number>): number | undefined {
    const start = hash(`${source} ${id}`) % PORT_COUNT;
    for (let step = 0; step < PORT_COUNT; step += 1) {
      const port = EGRESS_PORT_MIN + ((start + step) % PORT_COUNT);
      const isFree = isEgressPort(port) && !taken.has(port) && !this.#holders.has(port);
      if (isFree && !this.#isPinned(port, source)) return port;
    }
    return undefined;
  }

  /** Whether connections for another source may still be sent there. */
  #isPinned(port: number, source: string): boolean {
    return [...(this.#pins.get(port)?.values() ?? [])].some((other) => other !== source);
  }

  #put(table: Map<string, Entry>, mirrorKey: string, entry: Entry): void {
    this.#drop(table, mirrorKey);
    table.set(mirrorKey, entry);
    for (const port of entry.ports.values()) {
      const holders = this.#holders.get(port);
      if (holders === undefined) this.#holders.set(port, new Set([mirrorKey]));
      else holders.add(mirrorKey);
    }
  }

  #drop(table: Map<string, Entry>, mirrorKey: string): void {
    const entry = table.get(mirrorKey);
    if (entry === undefined) return;
    table.delete(mirrorKey);
    const left = [...(this.#stored.get(mirrorKey)?.ports.values() ?? [])].concat([
      ...(this.#reserved.get(mirrorKey)?.ports.values() ?? []),
    ]);
    for (const port of entry.ports.values()) {
      if (left.includes(port)) continue;
      const holders = this.#holders.get(port);
      holders?.delete(mirrorKey);
      if (holders?.size === 0) this.#holders.delete(port);
    }
  }
}

/** Who ports are reserved for: one source of one link. */
export function portOwner(purpose: { link: string; sourceKey: string }): string {
  return `${purpose.link} ${purpose.sourceKey}`;
}

function storedPorts(mirror: Service): Ports {
  const ports = new Map<string, number>();
  for (const port of mirror.spec?.ports ?? []) {
    const { targetPort } = port;
    if (typeof targetPort === "number" && isEgressPort(targetPort)) {
      ports.set(portId(port), targetPort);
    }
  }
  return ports;
}

/** A port of a Service is the same one while its name and number are. */
function portId({ name = "", port }: ServicePort): string {
  return `${name}:${port}`;
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) {
    value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  }
  return value;
}
