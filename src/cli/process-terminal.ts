import { setMaxListeners } from 'node:events';
import { MeridianError } from '../model/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { untilAborted } from '../runtime/until-aborted.ts';
import { either } from '../runtime/with-either.ts';
import { describeFailure, exitCodes } from './exit-code.ts';
import { stopSignal } from './stop-signal.ts';
import { systemFailure } from './system-failure.ts';
import type { Terminal } from './terminal.ts';

/** What is typed or piped in, until the signal: then whoever waits for more is told so. */
async function* untilStopped(input: NodeJS.ReadStream, stopped: AbortSignal): AsyncGenerator<Uint8Array> {
  const stop = () => input.destroy(new MeridianError('CANCELLED', 'stopped', { reason: 'stopped' }));
  if (stopped.aborted) stop();
  stopped.addEventListener('abort', stop, { once: true });
  try {
    yield* input;
  } finally {
    stopped.removeEventListener('abort', stop);
  }
}

function screenSize({ isTTY, rows, columns }: NodeJS.WriteStream, { TERM = '' }: NodeJS.ProcessEnv) {
  const canPaint = isTTY && TERM !== 'dumb' && rows > 0 && columns > 0;
  return canPaint ? { rows, columns } : undefined;
}

function onKey(input: NodeJS.ReadStream, pressed: (key: string) => void): () => void {
  if (!input.isTTY) return () => {};
  const take = (bytes: Buffer) => {
    for (const key of bytes.toString('latin1')) pressed(key);
  };
  input.setRawMode(true).on('data', take).resume();
  return () => {
    input.off('data', take).setRawMode(false).pause();
  };
}

/**
 * Standard output of this process. A reader that has seen enough, such as head, closes the pipe: the end of the output, and no
 * error. Whatever ends it ends the command, which gives back what it holds, and tells the exit code. A node writes nothing: the
 * audit log that may stand there says itself that it cannot be written.
 */
function outputOf(process: NodeJS.Process): { readonly ended: AbortSignal; write: Terminal['write'] } {
  const end = new AbortController();
  let hasOutput = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!hasOutput || end.signal.aborted) return;
    const isEnough = error.code === 'EPIPE';
    const { exitCode, line } = describeFailure(systemFailure('standard output cannot be written', error), false);
    if (!isEnough) process.stderr.write(`${line}\n`);
    process.once('exit', () => {
      process.exitCode = isEnough ? exitCodes.done : exitCode;
    });
    end.abort(new MeridianError('CANCELLED', 'the output has ended', { reason: 'output-ended' }));
  });
  return {
    ended: end.signal,
    write: async (chunk) => {
      end.signal.throwIfAborted();
      hasOutput = true;
      if (process.stdout.write(chunk)) return;
      await untilAborted(new Promise<void>((resolve) => process.stdout.once('drain', resolve)), end.signal);
    },
  };
}

/** The terminal of this process. Once it is closed, nothing waits for standard input any more. */
export function processTerminal(clock: Clock): Terminal & { close(): void } {
  process.stderr.on('error', () => {});
  const output = outputOf(process);
  const { signal: stopped } = either([stopSignal(process, clock), output.ended]);
  // Every worker of a bench may wait for it.
  setMaxListeners(0, stopped);
  return {
    write: output.write,
    note: (line) => void process.stderr.write(`${line}\n`),
    input: untilStopped(process.stdin, stopped),
    environment: process.env,
    interactive: process.stderr.isTTY === true,
    inputIsKeyboard: process.stdin.isTTY === true,
    outputIsScreen: process.stdout.isTTY === true,
    screenSize: () => screenSize(process.stdout, process.env),
    onKey: (pressed) => onKey(process.stdin, pressed),
    stopped,
    close: () => {
      // Whoever was reading from a pipe has given up: what comes, or does not, keeps no process.
      if (!process.stdin.isTTY && process.stdin.readableFlowing !== null) process.stdin.destroy();
    },
  };
}
