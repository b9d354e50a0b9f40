import { type Profiler, Session } from 'node:inspector';

/**
 * Which blocks of the code under test were run, as V8 counts them (the inspector's precise coverage). Nothing is built into
 * the code for it, so it is run as users run it.
 */
export class Reached {
  readonly #session = new Session();
  readonly #isOfTest: (url: string) => boolean;
  readonly #blocks = new Set<string>();

  /** Of the files whose URLs it names, in this thread. */
  constructor(isOfTest: (url: string) => boolean) {
    this.#isOfTest = isOfTest;
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Blocks that were ever run. */
  get size(): number {
    return this.#blocks.size;
  }

  /** Those that were run since the last look for the first time. */
  look(): Set<string> {
    const first = new Set([...this.since()].filter((block) => !this.#blocks.has(block)));
    for (const block of first) this.#blocks.add(block);
    return first;
  }

  /** All that were run since the last look, which this is another one of. */
  since(): Set<string> {
    const run = new Set<string>();
    const { result } = this.#post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
    for (const { scriptId, url, functions } of result) {
      if (!this.#isOfTest(url)) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          if (count > 0) run.add(`${scriptId} ${startOffset} ${endOffset}`);
        }
      }
    }
    return run;
  }

  /** Within one thread the answer is there before `post` returns. */
  #post(method: string, params: object = {}): unknown {
    let answer: unknown;
    this.#session.post(method, params, (error, result) => {
      if (error !== null) throw error;
      answer = result;
    });
    return answer;
  }
}
