import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { makeCertificate } from '../../../src/cli/ca/certificate.ts';

/** A CA of a test, and what it issues; all in PEM. */
export class TestAuthority {
  readonly name: string;
  readonly ca: Buffer;
  readonly key: KeyObject;

  constructor(name = 'CA of a test') {
    const { privateKey, publicKey } = newKey();
    this.name = name;
    this.key = privateKey;
    const request = { name, publicKey, hosts: [], isCa: true, ...lifetime(), serial: randomBytes(16) };
    this.ca = Buffer.from(makeCertificate(request, { name, key: privateKey }));
  }

  issue(name: string, hosts = ['localhost', '127.0.0.1', '::1'], untilMs = lifetime().untilMs) {
    const { privateKey, publicKey } = newKey();
    const request = { name, publicKey, hosts, isCa: false, ...lifetime(), untilMs, serial: randomBytes(16) };
    const cert = Buffer.from(makeCertificate(request, this));
    return { cert, key: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
  }
}

function newKey() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function lifetime() {
  return { fromMs: Date.now() - 60_000, untilMs: Date.now() + 3_600_000 };
}
