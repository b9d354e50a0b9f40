import { type FileHandle, open } from 'node:fs/promises';

export const newLine = 0x0a;

/**
 * Begins a new line of a file that is appended to, where the last one was cut off: by a full disk, or by the end of whoever
 * wrote it. A file that cannot be read is taken for whole, and one that is no file (a pipe) has no last line.
 */
export async function endLastLine(file: FileHandle, path: string): Promise<void> {
  const status = await file.stat();
  if (!status.isFile() || status.size === 0) return;
  const reader = await open(path, 'r').catch(() => undefined);
  if (reader === undefined) return;
  try {
    const { bytesRead, buffer } = await reader.read(Buffer.alloc(1), 0, 1, status.size - 1);
    if (bytesRead === 1 && buffer[0] !== newLine) await file.appendFile('\n');
  } finally {
    await reader.close();
  }
}
