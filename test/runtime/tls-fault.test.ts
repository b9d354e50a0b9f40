import { expect, test } from 'vitest';
import { clientTls } from '../../src/client/tls-options.ts';
import { tlsFault } from '../../src/runtime/tls-fault.ts';
import { TestAuthority } from '../cli/ca/test-authority.ts';

const authority = new TestAuthority();
const { cert, key } = authority.issue('a');
const other = authority.issue('b');
const none = Buffer.from('no PEM');

test.each([
  [{ cert: none, key }, 'what --tls-cert names holds no certificate in PEM'],
  [{ cert, key: none }, 'what --tls-key names holds no private key in PEM, or one with a passphrase'],
  [{ cert, key: other.key }, 'what --tls-key names is not the key of the certificate that --tls-cert names'],
  [{ ca: key }, 'what --tls-ca names holds no certificate in PEM'],
  [{ cert, key, clientCa: none }, 'what --tls-client-ca names holds no certificate in PEM'],
])('files of TLS that cannot be used are told by their options: %#', (pems, fault) => {
  expect(tlsFault(pems)).toBe(fault);
});

test('those that go together have no fault, and a client is told of one without the words of OpenSSL', () => {
  expect(tlsFault({ cert, key, ca: authority.ca, clientCa: authority.ca })).toBeUndefined();
  expect(() => clientTls({ cert, key: other.key })).toThrow(
    'the certificates of TLS cannot be used: what --tls-key names is not the key',
  );
  expect(() => clientTls({ cert, key: 'x' })).toThrow('--tls-key names holds no private key');
});
