import { setMaxListeners } from 'node:events';
import type { Terminal } from './terminal.ts';

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const stopping = new AbortController();
  // Every worker of a bench may wait for it.
  setMaxListeners(0, stopping.signal);
  const stop = (signal: NodeJS.Signals) => {
    // Whoever asks twice does not want to wait.
    if (stopping.signal.aborted) process.exit(130);
    stopping.abort(new Error(`stopped by ${signal}`));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
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
    stopped: stopping.signal,
  };
}
