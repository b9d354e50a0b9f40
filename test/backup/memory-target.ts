import type { BackupTarget } from '../../src/backup/backup-target.ts';
import { MeridianError } from '../../src/model/errors.ts';

/** Backups in memory, of which a test can spoil a file. */
export class MemoryTarget implements BackupTarget {
  readonly place = 'memory';
  readonly files = new Map<string, Buffer>();
  /** Called before each file is written. */
  onWrite: (name: string) => void = () => {};

  async names(): Promise<readonly string[]> {
    return [...this.files.keys()];
  }

  async read(name: string): Promise<Buffer> {
    const found = this.files.get(name);
    if (found === undefined) throw new MeridianError('NOT_FOUND', `${name} is not there`, { reason: 'no-file' });
    return found;
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.onWrite(name);
    this.files.set(name, Buffer.from(bytes));
  }

  async remove(name: string): Promise<void> {
    this.files.delete(name);
  }
}
