import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { ipBytes } from '../../runtime/ip-address.ts';
import { der, derInteger, derOid, derText, derTime } from './der.ts';

/*
 * X.509 certificates (RFC 5280) of one form, signed with ECDSA and SHA-256: what a CA for development needs. Node.js reads
 * certificates and writes none; the libraries that do bring a dozen packages into every node for these lines.
 */

const oids = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** Whoever signs: his name, and his private key. */
export interface Issuer {
  readonly name: string;
  readonly key: KeyObject;
}

export interface CertificateRequest {
  /** The subject's common name. */
  readonly name: string;
  /** A key of an elliptic curve. */
  readonly publicKey: KeyObject;
  /** Host names and IP addresses that it stands for; ignored of a CA. */
  readonly hosts: readonly string[];
  readonly isCa: boolean;
  /** Milliseconds since 1970. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** At least 8 random bytes. */
  readonly serial: Buffer;
}

/** The certificate in PEM. One of a CA that signs itself has its own name and key as issuer. */
export function makeCertificate(request: CertificateRequest, issuer: Issuer): string {
  const { name, publicKey, fromMs, untilMs, serial } = request;
  const version = der(0xa0, derInteger(Buffer.from([2])));
  const validity = der('sequence', derTime(fromMs), derTime(untilMs));
  const extensions = der(0xa3, der('sequence', ...extensionsOf(request, issuer)));
  const algorithm = der('sequence', derOid(oids.ecdsaWithSha256));
  const body = der(
    'sequence',
    ...[version, derInteger(serial), algorithm, nameOf(issuer.name), validity, nameOf(name), spkiOf(publicKey)],
    extensions,
  );
  const signature = der('bitString', Buffer.from([0]), sign('sha256', body, issuer.key));
  return pem(der('sequence', body, algorithm, signature));
}

function extensionsOf({ publicKey, hosts, isCa }: CertificateRequest, { key }: Issuer): readonly Buffer[] {
  const yes = der('boolean', Buffer.from([0xff]));
  // The bits for signing certificates and lists of revoked ones; or for signatures in handshakes.
  const usage = isCa ? [1, 0b0000_0110] : [7, 0b1000_0000];
  const always = [
    extension('basicConstraints', der('sequence', ...(isCa ? [yes] : [])), yes),
    extension('keyUsage', der('bitString', Buffer.from(usage)), yes),
    extension('subjectKeyId', der('octetString', keyId(publicKey))),
    extension('authorityKeyId', der('sequence', der(0x80, keyId(createPublicKey(key))))),
  ];
  if (isCa) return always;
  const purposes = der('sequence', derOid(oids.serverAuth), derOid(oids.clientAuth));
  return [
    ...always,
    extension('extendedKeyUsage', purposes),
    extension('subjectAltName', der('sequence', ...hosts.map(hostOf))),
  ];
}

function extension(name: keyof typeof oids, value: Buffer, ...critical: readonly Buffer[]): Buffer {
  return der('sequence', derOid(oids[name]), ...critical, der('octetString', value));
}

function hostOf(host: string): Buffer {
  const ip = ipBytes(host);
  return ip === undefined ? der(0x82, Buffer.from(host, 'latin1')) : der(0x87, ip);
}

function nameOf(commonName: string): Buffer {
  return der('sequence', der('set', der('sequence', derOid(oids.commonName), derText(commonName))));
}

function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}

function keyId(publicKey: KeyObject): Buffer {
  return createHash('sha256').update(spkiOf(publicKey)).digest().subarray(0, 20);
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
