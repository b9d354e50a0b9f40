/** A change of one compiled module: `from` stands in it exactly once. */
export interface Edit {
  /** Below src, without its ending. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A rule of the architecture, how it is taken out of the real code, and what shows that it is missed. */
export interface RuleTakenOut {
  /** As the architecture calls it, and what is done instead. */
  readonly name: string;
  readonly edits: readonly Edit[];
  /** What must be violated. */
  readonly expected: RegExp;
  /** A seed that shows it, known from an earlier run: the search begins there. */
  readonly seed?: number;
  /** The topology that seeds are run in, by its name; one origin where none is named. A history has its own. */
  readonly topology?: string;
  /** A scripted history that shows it, where random ones reach it too rarely. */
  readonly history?: string;
}
