import { RespError } from '../protocol/reply.ts';

/** Bytes of a client's name. */
const nameLengthMax = 512;

/** @throws RespError where it has spaces or what cannot be seen, as in Redis */
export function checkedName(bytes: Buffer | undefined): string {
  const name = bytes?.toString('latin1') ?? '';
  if (/^[!-~]*$/.test(name) && name.length <= nameLengthMax) return name;
  throw new RespError('ERR Client names cannot contain spaces, newlines or special characters.', 'bad-client-name');
}
