import type { Terminal } from '../terminal.ts';

/** What terminals since the VT100 understand: a second screen, so that the first one is as it was when all is over. */
const control = '\u001b[';
/** Without a cursor, and without further lines of one that is too long: the terminal alone knows how wide its characters are. */
const enter = `${control}?1049h${control}?25l${control}?7l`;
const leave = `${control}?7h${control}?25h${control}?1049l`;
const home = `${control}H`;
const clearLine = `${control}K`;
const clearBelow = `${control}J`;

/** A terminal's whole screen, painted over and over. */
export class Screen {
  readonly #terminal: Pick<Terminal, 'write' | 'screenSize'>;

  private constructor(terminal: Pick<Terminal, 'write' | 'screenSize'>) {
    this.#terminal = terminal;
  }

  static async open(terminal: Pick<Terminal, 'write' | 'screenSize'>): Promise<Screen> {
    await terminal.write(enter);
    return new Screen(terminal);
  }

  /** As much of the text as there is room for, and a last line at the bottom. */
  async paint(text: string, last: string): Promise<void> {
    const { rows, columns } = this.#terminal.screenSize() ?? { rows: 24, columns: 80 };
    const lines = text
      .trimEnd()
      .split('\n')
      .slice(0, Math.max(0, rows - 2));
    const painted = [...lines, '', last]
      .map((line) => `${[...line].slice(0, columns).join('')}${clearLine}`)
      .join('\r\n');
    await this.#terminal.write(`${home}${painted}${clearBelow}`);
  }

  async close(): Promise<void> {
    await this.#terminal.write(leave);
  }
}
