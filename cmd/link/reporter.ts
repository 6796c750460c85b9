/** How a command tells what it does; printing is kept apart from the work, for tests and the demo. */
export interface Reporter {
  /** Something that takes a while is under way; replaces the last `progress`. */
  progress(text: string): void;
  /** A step is finished. */
  done(text: string): void;
  /** Something is known that needs neither action nor attention. */
  info(text: string): void;
  warn(text: string): void;
  /** The command to give next, and what it is for. */
  next(command: string, purpose: string): void;
}

/** Says nothing. */
export const silentReporter: Reporter = {
  progress: () => {},
  done: () => {},
  info: () => {},
  warn: () => {},
  next: () => {},
};
