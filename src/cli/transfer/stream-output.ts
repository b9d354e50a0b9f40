import { constants, createWriteStream, open } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal, type Writable } from 'node:stream';
import { promisify } from 'node:util';
import { type Clock, sleep } from '../../runtime/clock.ts';
import { isDescriptor, isStandardOutput } from '../descriptor-paths.ts';
import type { Terminal } from '../terminal.ts';
import { cannotWrite } from './export-file.ts';

/** Where texts go that nobody reads back: they are written once, in their order. */
export interface StreamOutput {
  /** Resolves once it is taken. */
  write(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Milliseconds between looks whether a FIFO has a reader: the system wakes nobody who could be stopped meanwhile. */
const readerLookMs = 50;

const openDescriptor = promisify(open);

/** What a path names; a file may be yet to be made. */
export type OutputKind = 'standard output' | 'file' | 'fifo' | 'device';

export async function outputKindOf(path: string): Promise<OutputKind> {
  if (isStandardOutput(path)) return 'standard output';
  const found = await stat(path).catch(() => undefined);
  if (found?.isFIFO()) return 'fifo';
  if (isDescriptor(path)) return 'device';
  // What a folder is, whoever opens it as a file is told.
  return found === undefined || found.isFile() || found.isDirectory() ? 'file' : 'device';
}

/** @throws UsageError where it cannot be opened; the signal's reason */
export async function openStreamOutput(
  path: string,
  kind: Exclude<OutputKind, 'file'>,
  { terminal: { stopped, write }, clock }: { readonly terminal: Terminal; readonly clock: Clock },
): Promise<StreamOutput> {
  if (kind === 'standard output') return { write, close: async () => {} };
  try {
    const fd = kind === 'fifo' ? await openedFifo(path, clock, stopped) : await opened(path, 0);
    const stream =
      kind === 'fifo' ? new Socket({ fd, readable: false, writable: true }) : createWriteStream(path, { fd });
    return outputOf(stream, stopped);
  } catch (error) {
    stopped.throwIfAborted();
    return cannotWrite(error as Error);
  }
}

/** Waits for a reader, as every writer of a FIFO does; opened with a wait in the system the process could not end. */
async function openedFifo(path: string, clock: Clock, stopped: AbortSignal): Promise<number> {
  for (;;) {
    try {
      return await opened(path, constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    await sleep(clock, readerLookMs, stopped);
  }
}

/** Behind what a file has already: a descriptor may be that of one that others write too. */
function opened(path: string, flags: number): Promise<number> {
  return openDescriptor(path, constants.O_WRONLY | constants.O_APPEND | flags);
}

function outputOf(stream: Writable, stopped: AbortSignal): StreamOutput {
  addAbortSignal(stopped, stream);
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  // Told to whoever writes.
  stream.on('error', () => {});
  return {
    write: async (text) => {
      try {
        await new Promise<void>((resolve, reject) =>
          stream.write(text, (error) => (error ? reject(error) : resolve())),
        );
      } catch (error) {
        stopped.throwIfAborted();
        cannotWrite(error as Error);
      }
      // A socket that is destroyed in the midst of a write says that it wrote.
      stopped.throwIfAborted();
    },
    close: async () => {
      stream.destroy();
      await closed;
    },
  };
}
