import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { der, derInteger, derOid, derTime } from '../../../src/cli/ca/der.ts';
import { ipBytes } from '../../../src/runtime/ip-address.ts';
import { TestAuthority } from './test-authority.ts';

describe('a certificate', () => {
  const authority = new TestAuthority('Größe & Co');
  const hosts = ['fra.example.org', '10.1.2.3', '2001:db8::7', '::ffff:192.0.2.1'];
  const issued = new X509Certificate(authority.issue('fra', hosts).cert);
  const ca = new X509Certificate(authority.ca);

  it('is read back as it was asked for', () => {
    expect(ca.ca).toBe(true);
    expect(ca.subject).toBe('CN=Größe & Co');
    expect(issued.ca).toBe(false);
    expect(issued.subject).toBe('CN=fra');
    expect(issued.issuer).toBe(ca.subject);
    for (const host of hosts.filter((one) => one.includes('example'))) expect(issued.checkHost(host)).toBe(host);
    for (const ip of ['10.1.2.3', '2001:db8::7', '2001:db8:0:0::7']) expect(issued.checkIP(ip)).toBeDefined();
    expect(issued.checkHost('other.example.org')).toBeUndefined();
    expect(issued.checkIP('10.1.2.4')).toBeUndefined();
    expect(Date.parse(issued.validTo)).toBeGreaterThan(Date.now());
    expect(Date.parse(issued.validFrom)).toBeLessThan(Date.now());
  });

  it('is signed by its CA, and by no other of the same name', () => {
    expect(issued.checkIssued(ca)).toBe(true);
    expect(issued.verify(ca.publicKey)).toBe(true);
    expect(ca.verify(ca.publicKey)).toBe(true);
    const other = new X509Certificate(new TestAuthority('Größe & Co').ca);
    expect(issued.verify(other.publicKey)).toBe(false);
    expect(issued.checkIssued(other)).toBe(false);
  });
});

describe('DER', () => {
  it('writes lengths, numbers and times as X.690 and RFC 5280 say', () => {
    expect(der('octetString', Buffer.alloc(127)).subarray(0, 2).toString('hex')).toBe('047f');
    expect(der('octetString', Buffer.alloc(128)).subarray(0, 3).toString('hex')).toBe('048180');
    expect(der('octetString', Buffer.alloc(65_536)).subarray(0, 5).toString('hex')).toBe('0483010000');
    expect(derInteger(Buffer.from([0x80])).toString('hex')).toBe('02020080');
    expect(derInteger(Buffer.from([0, 0, 0x7f, 0])).toString('hex')).toBe('02027f00');
    expect(derInteger(Buffer.from([0, 0x80])).toString('hex')).toBe('02020080');
    expect(derInteger(Buffer.from([0, 0])).toString('hex')).toBe('020100');
    expect(derOid('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302');
    expect(derTime(Date.UTC(2049, 11, 31, 23, 59, 59)).toString('latin1')).toBe('\x17\r491231235959Z');
    expect(derTime(Date.UTC(2050, 0, 1)).toString('latin1')).toBe('\x18\x0f20500101000000Z');
  });
});

describe('an IP address', () => {
  it('has the bytes that it says, whatever its spelling', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        expect(ipBytes(address)?.length).toBe(16);
        const url = new URL(`http://[${address}]/`).hostname.slice(1, -1);
        expect(ipBytes(url)?.toString('hex')).toBe(ipBytes(address)?.toString('hex'));
      }),
    );
    expect(ipBytes('192.0.2.1')?.toString('hex')).toBe('c0000201');
    expect(ipBytes('fe80::1%eth0')?.toString('hex')).toBe('fe800000000000000000000000000001');
    for (const text of ['', 'example.org', '1.2.3', '1.2.3.256', ':::']) expect(ipBytes(text)).toBeUndefined();
  });
});
