import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Secret } from "../../api/objects.ts";
import { type CertificateAndKey, createAuthority, LEAF_LIFETIME_MS } from "../../pki/authority.ts";
import { parseBundle, parseCertificate } from "../../pki/certificate.ts";
import { type OwnAuthority, planAuthority, tlsData } from "./own-secrets.ts";
import { PhaseTimer, planRotation, restartOf, type RotationPhase } from "./rotation.ts";
import {
  announcePatch,
  readRotation,
  recordPatch,
  retirePatch,
  switchPatch,
} from "./rotation-secret.ts";

const START_MS = Date.now();
const OVERLAP_MS = 3_600_000;
const authorities = await Promise.all(
  Array.from({ length: 6 }, () => createAuthority({ clusterName: "west", nowMs: START_MS })),
);

/** What may happen between two looks of the keeper, and during one. */
type Happening =
  | { kind: "look"; interruptedBefore: "publish" | "leaf" | "write" | "nothing" }
  | { kind: "time"; ms: number }
  | { kind: "clockSet"; ms: number }
  | { kind: "restart" }
  | { kind: "request"; id: string }
  | { kind: "recordLost" }
  | { kind: "nextUnpublished" }
  | { kind: "leafDeleted" }
  | { kind: "gatewaysFollow" }
  | { kind: "providersFollow"; all: boolean };

interface Publication {
  readonly atMs: number;
  readonly members: ReadonlySet<string>;
}

interface ReadSecret {
  readonly own: OwnAuthority;
  /** Fingerprints of the bundle, and of the CA that signs. */
  readonly members: ReadonlySet<string>;
  readonly signer: string;
}

/** Reading certificates is dear, and the same few Secrets come again and again. */
const read = new Map<string, ReadSecret>();

function readSecret(secret: Secret): ReadSecret {
  const key = JSON.stringify(secret.data);
  const known = read.get(key);
  if (known !== undefined) return known;
  const plan = planAuthority(secret, START_MS);
  if (plan.action !== "none") throw new Error("the CA cannot be used");
  const { own } = plan;
  const members = new Set(parseBundle(own.bundlePem).map((member) => member.fingerprint));
  const found = {
    own,
    members,
    signer: parseCertificate(own.authority.certificatePem).fingerprint,
  };
  read.set(key, found);
  return found;
}

/** One cluster: its Secret, what it published when, its leaf, and the gateways that use one. */
class Cluster {
  nowMs = 0;
  #wallOffsetMs = START_MS;
  #timer = new PhaseTimer();
  #bootMs = 0;
  #made = 1;
  secret: Secret;
  published: Publication[] = [];
  /** Fingerprint of the CA that issued the leaf. */
  leaf: string | undefined;
  /** The leaf the gateways use, and when the last of its kind ends. */
  used: { leaf: string | undefined; endsMs: number };
  #providersFollow = true;
  readonly phases = new Set<RotationPhase>();

  constructor() {
    this.secret = {
      metadata: { name: "isthmus-ca", annotations: {} },
      data: tlsData(this.#authority(0), this.#authority(0).certificatePem),
    };
    this.leaf = readSecret(this.secret).signer;
    this.used = { leaf: this.leaf, endsMs: Number.POSITIVE_INFINITY };
    this.look("nothing");
  }

  #authority(index: number): CertificateAndKey {
    const authority = authorities[index % authorities.length];
    if (authority === undefined) throw new Error("no authority");
    return authority;
  }

  happen(event: Happening): void {
    switch (event.kind) {
      case "look":
        return this.look(event.interruptedBefore);
      case "time":
        this.nowMs += event.ms;
        return;
      case "clockSet":
        this.#wallOffsetMs += event.ms;
        return;
      case "restart":
        this.#timer = new PhaseTimer();
        this.#bootMs = this.nowMs;
        return;
      case "request":
        this.#merge({ metadata: { annotations: { "isthmus.dev/rotate": event.id } } });
        return;
      case "recordLost":
        this.#merge({ metadata: { annotations: { "isthmus.dev/rotation": null } } });
        return;
      case "nextUnpublished":
        return this.#unpublishNext();
      case "leafDeleted":
        this.leaf = undefined;
        return;
      case "gatewaysFollow":
        this.used = { leaf: this.leaf ?? this.used.leaf, endsMs: Number.POSITIVE_INFINITY };
        return;
      case "providersFollow":
        this.#providersFollow = event.all;
    }
  }

  /** One look of the keeper, which may end before any of its writes. */
  look(interruptedBefore: "publish" | "leaf" | "write" | "nothing"): void {
    const { own, members, signer } = readSecret(this.secret);
    const rotation = readRotation(this.secret, own);
    this.phases.add(rotation.phase);
    if (interruptedBefore === "publish") return;
    if (!sameMembers(this.published.at(-1)?.members, members)) {
      const restarted = restartOf(rotation.phase, rotation.progress?.id);
      if (restarted !== undefined) return this.#merge(recordPatch(this.secret, restarted, 0));
      this.published.push({ atMs: this.nowMs, members });
    }
    if (interruptedBefore === "leaf") return;
    if (this.leaf !== signer) {
      this.leaf = signer;
      this.used = { ...this.used, endsMs: this.nowMs + LEAF_LIFETIME_MS };
    }
    const unrecordedMs = this.#timer.unrecordedMs(rotation, this.nowMs - this.#bootMs);
    const step = planRotation({
      ...rotation,
      notBeforeMs: own.notBeforeMs,
      notAfterMs: own.notAfterMs,
      nowMs: this.nowMs + this.#wallOffsetMs,
      leafIssued: true,
      unrecordedMs,
      overlapMs: OVERLAP_MS,
      linksLacking: this.#providersFollow ? [] : ["north"],
      gatewaysLacking: this.used.leaf === this.leaf ? [] : ["gateway-0"],
    });
    if (interruptedBefore === "write") return;
    const { progress } = rotation;
    switch (step.step) {
      case "announce":
        this.#merge(announcePatch(this.secret, this.#authority(this.#made++), step.id, 0));
        return;
      case "record":
        this.#merge(recordPatch(this.secret, { id: progress?.id, ...step }, 0));
        this.#timer.reset();
        return;
      case "switch":
        if (own.next) this.#merge(switchPatch(this.secret, own, own.next, progress?.id, 0));
        return;
      case "retire":
        this.#merge(retirePatch(this.secret, progress ? progress.id : rotation.requested));
        return;
      case "rest":
      case "wait":
    }
  }

  /** The bundles that somebody may still have: those published within the last overlap. */
  recent(): ReadonlySet<string>[] {
    const sinceMs = this.nowMs - OVERLAP_MS;
    const from = this.published.findLastIndex(({ atMs }) => atMs <= sinceMs);
    return this.published.slice(Math.max(0, from)).map(({ members }) => members);
  }

  /** Somebody writes the bundle of before the announcement over the published one. */
  #unpublishNext(): void {
    const { own, signer } = readSecret(this.secret);
    if (own.next === undefined) return;
    this.published.push({ atMs: this.nowMs, members: new Set([signer]) });
  }

  #merge(patch: object): void {
    this.secret = merged(this.secret, patch);
  }
}

/** RFC 7386, as far as it is needed here. */
function merged<T extends object>(target: T, patch: object): T {
  const entries = new Map<string, unknown>(Object.entries(target));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) entries.delete(key);
    else if (typeof value === "object") entries.set(key, merged(Object(entries.get(key)), value));
    else entries.set(key, value);
  }
  return Object.assign(Object.create(null), Object.fromEntries(entries));
}

function sameMembers(left: ReadonlySet<string> | undefined, right: ReadonlySet<string>): boolean {
  return left !== undefined && left.size === right.size && [...left].every((one) => right.has(one));
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("look" as const),
      interruptedBefore: fc.constantFrom("nothing", "nothing", "publish", "leaf", "write"),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("time" as const),
      ms: fc.integer({ min: 1000, max: 2 * OVERLAP_MS }),
    }),
  },
  fc.record({
    kind: fc.constant("clockSet" as const),
    ms: fc.integer({ min: -200 * OVERLAP_MS, max: 200 * OVERLAP_MS }),
  }),
  fc.constant({ kind: "restart" as const }),
  { weight: 3, arbitrary: fc.constant({ kind: "nextUnpublished" as const }) },
  fc.record({ kind: fc.constant("request" as const), id: fc.constantFrom("one", "two") }),
  fc.constantFrom<Happening>(
    { kind: "recordLost" },
    { kind: "leafDeleted" },
    { kind: "gatewaysFollow" },
    { kind: "providersFollow", all: true },
    { kind: "providersFollow", all: false },
  ),
);

function checkVouchedFor(cluster: Cluster): void {
  for (const members of cluster.recent()) {
    if (cluster.leaf !== undefined && !members.has(cluster.leaf)) {
      throw new Error("a bundle that others may still have does not vouch for the leaf");
    }
  }
  const { used, nowMs } = cluster;
  const latest = cluster.published.at(-1)?.members;
  if (used.leaf !== undefined && nowMs < used.endsMs && latest?.has(used.leaf) === false) {
    throw new Error("the published bundle does not vouch for the leaf that the gateways use");
  }
}

it("vouches at all times for the leaf by every bundle of the last overlap, and always gets to its end", () => {
  const phases = new Set<RotationPhase>();
  fc.assert(
    fc.property(fc.array(happening, { minLength: 60, maxLength: 100 }), (happenings) => {
      const cluster = new Cluster();
      cluster.happen({ kind: "request", id: "zero" });
      for (const event of happenings) {
        cluster.happen(event);
        checkVouchedFor(cluster);
      }
      cluster.happen({ kind: "providersFollow", all: true });
      for (let look = 0; look < 40; look += 1) {
        cluster.happen({ kind: "gatewaysFollow" });
        cluster.look("nothing");
        cluster.nowMs += OVERLAP_MS / 3;
        checkVouchedFor(cluster);
      }
      const { annotations } = cluster.secret.metadata;
      const { own } = readSecret(cluster.secret);
      expect(readRotation(cluster.secret, own).phase).toBe("idle");
      expect(annotations?.["isthmus.dev/rotated"]).toBe(annotations?.["isthmus.dev/rotate"]);
      expect([...(cluster.published.at(-1)?.members ?? [])]).toEqual([cluster.leaf]);
      for (const phase of cluster.phases) phases.add(phase);
    }),
    // Shrinking so long a history takes minutes and says little.
    { numRuns: 40, endOnFailure: true },
  );
  expect([...phases].toSorted()).toEqual([
    "announced",
    "announcing",
    "idle",
    "switched",
    "switching",
  ]);
});
