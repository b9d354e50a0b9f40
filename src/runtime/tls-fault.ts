import { createPrivateKey, X509Certificate } from 'node:crypto';

/** PEM of each file, by the option that names it. */
export interface TlsPems {
  readonly cert?: Uint8Array | undefined;
  readonly key?: Uint8Array | undefined;
  readonly ca?: Uint8Array | undefined;
  readonly clientCa?: Uint8Array | undefined;
}

/**
 * What is wrong with the files of TLS, and which option to look at, where OpenSSL refuses them together: it says
 * `error:0480006C:PEM routines::no start line`, of no file. Undefined where each is sound by itself.
 */
export function tlsFault({ cert, key, ca, clientCa }: TlsPems): string | undefined {
  for (const [option, pem] of [
    ['--tls-cert', cert],
    ['--tls-ca', ca],
    ['--tls-client-ca', clientCa],
  ] as const) {
    if (pem !== undefined && certificateIn(pem) === undefined)
      return `what ${option} names holds no certificate in PEM`;
  }
  if (key === undefined) return undefined;
  const own = keyIn(key);
  if (own === undefined) return 'what --tls-key names holds no private key in PEM, or one with a passphrase';
  const isOfKey = cert === undefined || certificateIn(cert)?.checkPrivateKey(own) !== false;
  return isOfKey ? undefined : 'what --tls-key names is not the key of the certificate that --tls-cert names';
}

function certificateIn(pem: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function keyIn(pem: Uint8Array) {
  try {
    return createPrivateKey(Buffer.from(pem));
  } catch {
    return undefined;
  }
}
