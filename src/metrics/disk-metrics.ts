import { statfs } from 'node:fs/promises';
import { Gauge, type Registry } from 'prom-client';

/** The file system that holds the data folder, as it is when it is scraped. No series where it cannot be asked. */
export class DiskMetrics {
  constructor(registry: Registry, folder: string) {
    new Gauge({
      name: 'meridian_disk_free_bytes',
      help: 'Room on the file system of the data folder that this process may still fill.',
      registers: [registry],
      async collect() {
        this.remove();
        const found = await statfs(folder).catch(() => undefined);
        if (found !== undefined) this.set(found.bavail * found.bsize);
      },
    });
  }
}
