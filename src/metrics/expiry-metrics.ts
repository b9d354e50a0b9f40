import { Gauge, type Registry } from 'prom-client';

/** What stops being accepted at some time, as the node knows it now. Milliseconds since 1970. */
export interface Expiries {
  /** By what it is used for: `own`, `ca`, `client-ca`. Of a file of several certificates the first that expires. */
  readonly certificates: () => ReadonlyMap<string, number>;
  /** The token that is to expire next. Unset where a node does not tell. */
  readonly nextToken?: () => { readonly name: string; readonly expiresMs: number } | undefined;
}

/** Read off when it is scraped; what does not expire has no series. */
export class ExpiryMetrics {
  constructor(registry: Registry, { certificates, nextToken }: Expiries) {
    new Gauge({
      name: 'meridian_certificate_expiry_timestamp_seconds',
      help: 'When a certificate of this node expires: its own, or one of those by which it checks others.',
      labelNames: ['use'],
      registers: [registry],
      collect() {
        this.reset();
        for (const [use, expiresMs] of certificates()) this.set({ use }, expiresMs / 1000);
      },
    });
    if (nextToken === undefined) return;
    new Gauge({
      name: 'meridian_token_expiry_timestamp_seconds',
      help: 'When the token that is to expire next does; of tokens without an expiry there is no series.',
      labelNames: ['name'],
      registers: [registry],
      collect() {
        this.reset();
        const next = nextToken();
        if (next !== undefined) this.set({ name: next.name }, next.expiresMs / 1000);
      },
    });
  }
}
