import { clusterNameOf, type Link, type LinkSpec } from "../../api/link.ts";
import { LinkWatcher, type LinkWatcherOptions } from "./link-watcher.ts";

/** Whom a link's watcher tells of changes, by the name of the link. */
export interface WatcherListeners {
  onServiceChanged: (linkName: string, serviceKey: string) => void;
  onChanged: (linkName: string) => void;
  onSwapped: (linkName: string) => void;
}

type SharedOptions = Omit<LinkWatcherOptions, "link" | "spec" | keyof WatcherListeners>;

/** What runs for the links that are acted on. */
export class LinkWatchers {
  readonly #options: SharedOptions;
  readonly #listeners: WatcherListeners;
  readonly #watchers = new Map<string, LinkWatcher>();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: SharedOptions, listeners: WatcherListeners) {
    this.#options = options;
    this.#listeners = listeners;
  }

  get(linkName: string): LinkWatcher | undefined {
    return this.#watchers.get(linkName);
  }

  /** The link's watcher; a new one if there is none yet. */
  begin(link: Link, spec: LinkSpec): LinkWatcher {
    const { name } = link.metadata;
    const running = this.#watchers.get(name);
    if (running !== undefined) return running;
    const { onServiceChanged, onChanged, onSwapped } = this.#listeners;
    const watcher = new LinkWatcher({
      ...this.#options,
      link,
      spec,
      logger: this.#options.logger.child({ link: name, cluster: clusterNameOf(link, spec) }),
      onServiceChanged: (key) => onServiceChanged(name, key),
      onChanged: () => onChanged(name),
      onSwapped: () => onSwapped(name),
    });
    this.#watchers.set(name, watcher);
    return watcher;
  }

  /** Ends what runs for a link, in the background. */
  end(linkName: string): void {
    const watcher = this.#watchers.get(linkName);
    if (watcher === undefined) return;
    this.#watchers.delete(linkName);
    const ending = watcher.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** Ends everything and waits for it. */
  async stop(): Promise<void> {
    for (const name of this.#watchers.keys()) this.end(name);
    await Promise.all(this.#ending);
  }
}
