import type { SecureContextOptions } from 'node:tls';

/** What a listener proves itself with; all in PEM. */
export interface ServerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Clients must present a certificate of it. Unset = any client may come. */
  readonly clientCa?: Buffer;
}

/** How the other side of a connection is checked, and what this side presents; all in PEM. */
export interface ClientTls {
  /** Unset = the public certification authorities that Node.js knows. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Certificates as they are now: they are renewed while a node runs. */
export interface RenewedTls {
  /** Asked for anew by each listener. */
  readonly current: ServerTls;
  /** Called with each later one, for as long as the process lives. */
  onRenewed(run: (renewed: ServerTls) => void): void;
}

/** What every listener and connection has in common. */
export const tlsBounds = {
  minVersion: 'TLSv1.2',
  /** Milliseconds for a handshake; who sends half of one holds a connection. */
  handshakeTimeoutMs: 10_000,
  /** Handshakes at once at one listener, beside the connections that it may have. */
  handshakesMax: 512,
} as const;

/** As Node.js takes it, to begin with and for a renewal. */
export function secureContextOf({ cert, key, clientCa }: ServerTls): SecureContextOptions {
  return { cert, key, minVersion: tlsBounds.minVersion, ...(clientCa === undefined ? {} : { ca: clientCa }) };
}

/** What stays the same for as long as a listener is there. */
export function secureServerOf({ clientCa }: ServerTls) {
  return {
    handshakeTimeout: tlsBounds.handshakeTimeoutMs,
    ...(clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: true }),
  };
}
