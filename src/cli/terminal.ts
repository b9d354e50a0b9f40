/** The outside of a command: where it reads, writes, and is told to stop. Tests bring their own. */
export interface Terminal {
  /** Standard output. Resolves when more may be written, so that a slow reader slows us. Rejects once it has ended. */
  write(chunk: string | Uint8Array): Promise<void>;
  /** One line on standard error. */
  note(line: string): void;
  readonly input: AsyncIterable<Uint8Array>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** True where a person sees standard error: progress bars belong there. */
  readonly interactive: boolean;
  /** True where standard input is a keyboard, from which no value is awaited. */
  readonly inputIsKeyboard: boolean;
  /** True where a person sees standard output. */
  readonly outputIsScreen: boolean;
  /** Of the screen that shows standard output; undefined where there is none, or none that can be painted on. */
  screenSize(): { readonly rows: number; readonly columns: number } | undefined;
  /**
   * Tells each key as it is pressed, Ctrl-C too, which then is no signal, until the returned function is called. Does nothing
   * where there is no keyboard.
   */
  onKey(pressed: (key: string) => void): () => void;
  /** Aborted by SIGINT, SIGTERM or SIGHUP, and where nobody reads on what was written. */
  readonly stopped: AbortSignal;
}
