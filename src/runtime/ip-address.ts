import { isIP } from 'node:net';

/** The 4 or 16 bytes of an address, without its zone; undefined where it is none. */
export function ipBytes(address: string): Buffer | undefined {
  const [plain = ''] = address.split('%');
  const version = isIP(plain);
  if (version === 0) return undefined;
  if (version === 4) return Buffer.from(plain.split('.').map(Number));
  const [head = '', tail] = plain.split('::').map(groupsOf);
  const [before, behind] = [head, tail ?? ''].map((groups) => Buffer.from(groups, 'hex'));
  const zeros = Buffer.alloc(16 - (before?.length ?? 0) - (behind?.length ?? 0));
  return Buffer.concat([before ?? zeros, zeros, behind ?? zeros]);
}

/** Groups of IPv6 as hex digits, four each; of `1.2.3.4` at its end eight. */
function groupsOf(text: string): string {
  return text
    .split(':')
    .filter((group) => group !== '')
    .map((group) =>
      group.includes('.') ? Buffer.from(group.split('.').map(Number)).toString('hex') : group.padStart(4, '0'),
    )
    .join('');
}
