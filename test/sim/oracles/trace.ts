/** What happened, for people, and what should not have. */
export class Trace {
  readonly lines: string[] = [];
  readonly violations: string[] = [];
  readonly #nowMs: () => number;
  readonly #detailed: boolean;

  /** Without `detailed` nothing is noted but violations: a seed that fails is run again with it. */
  constructor(nowMs: () => number, detailed: boolean) {
    this.#nowMs = nowMs;
    this.#detailed = detailed;
  }

  note(line: () => string): void {
    if (this.#detailed) this.lines.push(`${this.#nowMs().toFixed(1).padStart(8)} ${line()}`);
  }

  violated(line: string): void {
    this.note(() => `VIOLATED ${line}`);
    this.violations.push(line);
  }
}
