import type { Clock } from '../runtime/clock.ts';
import { stopSignal } from './stop-signal.ts';
import type { Terminal } from './terminal.ts';

/** The terminal of this process. */
export function processTerminal(clock: Clock): Terminal {
  // A reader that has seen enough, such as head, closes the pipe: the end of the output, and no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.stderr.on('error', () => {});
  return {
    write: (chunk) =>
      new Promise((resolve) => {
        if (process.stdout.write(chunk)) resolve();
        else process.stdout.once('drain', resolve);
      }),
    note: (line) => void process.stderr.write(`${line}\n`),
    input: process.stdin,
    environment: process.env,
    interactive: process.stderr.isTTY === true,
    inputIsKeyboard: process.stdin.isTTY === true,
    stopped: stopSignal(process, clock),
  };
}
