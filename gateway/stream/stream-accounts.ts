import type { Logger } from "../../kube/logger.ts";
import type { GatewayMetrics } from "../metrics.ts";
import type { TunnelEnd } from "./tunnel.ts";

/** What a stream is about, under the same names in both roles. */
export interface StreamSubject {
  /** The Link in the egress, the consumer in the ingress. */
  readonly link: string;
  /** The cluster whose client it is. */
  readonly consumer: string;
  /** The Service asked for, by its name in the provider's cluster; undefined when that cannot be read. */
  readonly authority: { namespace: string; service: string; port: number } | undefined;
}

/** How a stream ended; `answered` is a ready probe. */
export interface StreamEnd {
  result: TunnelEnd["result"] | "refused" | "answered";
  /** Empty after an orderly end. */
  reason: string;
  bytesToRemote?: number;
  bytesToLocal?: number;
}

export interface StreamAccountsOptions {
  role: "egress" | "ingress";
  metrics: GatewayMetrics;
  logger: Logger;
  nowMs: () => number;
  /** Whether `namespace/name` is exported here, or mirrored over this link: others never become a label. */
  knows: (link: string, service: string) => boolean;
}

/** The streams of one Service over one link: how many are open, and how those before ended. */
interface ServiceAccount {
  open: number;
  readonly ended: Map<string, { result: string; reason: string; count: number }>;
}

/** Counts streams by link, Service, result and reason, and writes one line of access log for each at its end. */
export class StreamAccounts {
  readonly #options: StreamAccountsOptions;
  readonly #services = new Map<string, Map<string, ServiceAccount>>();

  constructor(options: StreamAccountsOptions) {
    this.#options = options;
  }

  /** Begins the account of one stream; `about` is logged beside the rest. */
  begin(subject: StreamSubject, about: Record<string, unknown> = {}): StreamAccount {
    const { link, authority } = subject;
    const name = authority === undefined ? "" : `${authority.namespace}/${authority.service}`;
    const service = name !== "" && this.#options.knows(link, name) ? name : "";
    if (service !== "") this.#accountOf(link, service).open += 1;
    return new StreamAccount({ ...subject, service, about }, this.#options, this.#count);
  }

  /**
   * Drops the series of Services that are not known any more, once their
   * streams have ended; what they counted moves to the series without a
   * Service, so that sums never fall.
   */
  forget(): void {
    for (const [service, links] of this.#services) {
      for (const link of links.keys()) this.#forgetOne(link, service);
    }
  }

  #accountOf(link: string, service: string): ServiceAccount {
    const links = this.#services.get(service) ?? new Map<string, ServiceAccount>();
    const account = links.get(link) ?? { open: 0, ended: new Map() };
    links.set(link, account);
    this.#services.set(service, links);
    return account;
  }

  readonly #count = (link: string, service: string, { result, reason }: StreamEnd): void => {
    const { role, metrics } = this.#options;
    metrics.streams.inc({ role, link, service, result, reason });
    if (service === "") return;
    const account = this.#accountOf(link, service);
    account.open -= 1;
    const key = `${result} ${reason}`;
    const ended = account.ended.get(key) ?? { result, reason, count: 0 };
    ended.count += 1;
    account.ended.set(key, ended);
    if (account.open === 0) this.#forgetOne(link, service);
  };

  #forgetOne(link: string, service: string): void {
    const { role, metrics, knows } = this.#options;
    const links = this.#services.get(service);
    const account = links?.get(link);
    if (account === undefined || account.open > 0 || knows(link, service)) return;
    for (const { result, reason, count } of account.ended.values()) {
      metrics.streams.remove({ role, link, service, result, reason });
      metrics.streams.inc({ role, link, service: "", result, reason }, count);
    }
    links?.delete(link);
    if (links?.size === 0) this.#services.delete(service);
  }
}

/** `service` is the label that it is counted under, `about` what is logged beside the rest. */
interface CountedSubject extends StreamSubject {
  readonly service: string;
  readonly about: Record<string, unknown>;
}

/** The account of one stream, ended once. */
export class StreamAccount {
  readonly #subject: CountedSubject;
  readonly #options: StreamAccountsOptions;
  readonly #count: (link: string, service: string, end: StreamEnd) => void;
  readonly #startMs: number;
  #endpoint: string | undefined;
  #carries = false;

  /** Made by {@link StreamAccounts.begin}. */
  constructor(
    subject: CountedSubject,
    options: StreamAccountsOptions,
    count: (link: string, service: string, end: StreamEnd) => void,
  ) {
    this.#subject = subject;
    this.#options = options;
    this.#count = count;
    this.#startMs = options.nowMs();
  }

  /** It carries a connection from now on; `endpoint`: to this address and port. */
  carry(endpoint?: string): void {
    this.#endpoint = endpoint;
    this.#carries = true;
    this.#options.metrics.activeStreams.inc(this.#labels());
  }

  end({ result, reason, bytesToRemote = 0, bytesToLocal = 0 }: StreamEnd): void {
    const { metrics, logger, nowMs } = this.#options;
    this.#count(this.#subject.link, this.#subject.service, { result, reason });
    const labels = this.#labels();
    if (this.#carries) {
      metrics.activeStreams.dec(labels);
      metrics.bytes.inc({ ...labels, direction: "toRemote" }, bytesToRemote);
      metrics.bytes.inc({ ...labels, direction: "toLocal" }, bytesToLocal);
    }
    if (!logger.isLevelEnabled("debug")) return;
    const { consumer, authority } = this.#subject;
    const { namespace, service, port } = authority ?? {};
    logger.debug(
      {
        ...labels,
        consumer,
        namespace,
        service,
        port,
        result,
        reason,
        bytesToRemote,
        bytesToLocal,
        durationMs: nowMs() - this.#startMs,
        ...(this.#endpoint === undefined ? {} : { endpoint: this.#endpoint }),
        ...this.#subject.about,
      },
      "stream",
    );
  }

  #labels() {
    return { role: this.#options.role, link: this.#subject.link };
  }
}
