import { createSecureContext } from 'node:tls';
import { MeridianError } from '../model/errors.ts';
import type { ClientTls } from '../runtime/tls.ts';
import { tlsFault } from '../runtime/tls-fault.ts';

/** PEM, as text or bytes. */
export interface TlsOptions {
  /** By which nodes are checked, in place of the public certification authorities. */
  readonly ca?: string | Uint8Array;
  /** Of this client, where nodes ask for one; with its key. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
}

/** Undefined = in the clear. @throws INVALID_ARGUMENT where a certificate and a key do not go together */
export function clientTls(tls: boolean | TlsOptions = false): ClientTls | undefined {
  if (tls === false) return undefined;
  const given = Object.entries(tls === true ? {} : tls).flatMap(
    ([name, pem]: [string, string | Uint8Array | undefined]) =>
      pem === undefined ? [] : [[name, Buffer.from(pem as Uint8Array)]],
  );
  const understood: ClientTls = Object.fromEntries(given);
  try {
    if ((understood.cert === undefined) !== (understood.key === undefined)) {
      throw new Error('a certificate and its key are given together');
    }
    createSecureContext(understood);
  } catch (cause) {
    const why = tlsFault(understood) ?? (cause instanceof Error ? cause.message : String(cause));
    const message = `the certificates of TLS cannot be used: ${why}`;
    throw new MeridianError('INVALID_ARGUMENT', message, { reason: 'bad-certificate', cause });
  }
  return understood;
}
