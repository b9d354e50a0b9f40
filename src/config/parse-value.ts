import { unreachable } from '../model/assert.ts';
import type { ValueMode } from '../model/feed.ts';
import { logLevels, logModules } from '../model/log-levels.ts';
import { type CertificateRights, type Right, rights } from '../model/token.ts';
import type { Kind, KindValues, MappedDatabase, Option, TitledRange } from './option.ts';
import { parseAddress } from './parse-address.ts';
import { parseDuration } from './parse-duration.ts';
import { parseLogLevels } from './parse-log-levels.ts';
import { parseSize } from './parse-size.ts';

type Value = KindValues[Kind];

/** What a text says of a switch. Container tools write 1 and 0 as often as not. */
export const booleans: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

/** The value that a text spells for an option, or undefined where it spells none. */
export function parseValue(option: Option, text: string): Value | undefined {
  const { kind } = option;
  if (typeof kind === 'object') return kind.oneOf.includes(text) ? text : undefined;
  switch (kind) {
    case 'string':
    case 'path':
      return text === '' ? undefined : text;
    case 'boolean':
      return booleans.get(text);
    case 'integer':
      return parseInteger(text, option.between);
    case 'size':
      return within(parseSize(text), option.between);
    case 'duration':
      return within(parseDuration(text), option.between);
    case 'address':
      return parseAddress(text);
    case 'location':
      return parseLocation(text);
    case 'values':
      return parseValueMode(text);
    case 'range':
      return parseTitledRange(text);
    case 'pattern':
      return isPattern(text) ? text : undefined;
    case 'database':
      return parseDatabase(text);
    case 'certificate':
      return parseCertificate(text);
    case 'url':
    case 'store':
      return isUrl(text, kind) ? text : undefined;
    case 'share':
      return parseShare(text);
    case 'levels':
      return parseLogLevels(text);
    default:
      return unreachable(kind);
  }
}

/** What a good value looks like, to end the sentence `… must be`. */
export function expectation(option: Option): string {
  const { kind, between } = option;
  if (typeof kind === 'object') return `one of ${kind.oneOf.join(', ')}`;
  const phrases: Record<Kind, string> = {
    string: 'a text that is not empty',
    path: 'a path',
    boolean: 'true or false, or 1 or 0',
    integer: between === undefined ? 'a whole number' : `a whole number from ${between[0]} to ${between[1]}`,
    size: `a size such as 64MiB, 4GiB or 1000 (bytes)${between === undefined ? '' : `, from ${between[0]} to ${between[1]} bytes`}`,
    duration: `a duration with its unit, such as 250ms, 60s, 15m or 24h${between === undefined ? '' : `, from ${between[0]} to ${between[1]} ms`}`,
    address: 'an address host:port, such as 127.0.0.1:7100 or [::1]:7100',
    location: 'degrees north and east, such as 38.9,-77.4',
    values: 'all, none or inline:SIZE, such as inline:1KiB',
    pattern: "a title, the beginning of titles such as 'team-*', a title with a prefix such as 'flags/beta/*', or '*'",
    database: 'a number from 0 to 9999 and the title or id of a namespace, such as 0=flags',
    certificate: `a certificate's name with at most one star, and rights of ${rights.join(', ')}, such as edge-*.example.org=replicate, or app=read+write@shop-*/app/* for some namespaces and keys`,
    url: 'a URL such as http://127.0.0.1:4318',
    share: 'a number from 0 to 1, such as 0.01',
    levels: `one of ${logLevels.join(', ')}, with levels of modules beside it or alone, such as info,feed=debug; modules are ${logModules.join(', ')}`,
    store: 'a URL such as postgres://user@host:5432/database',
    range: "a title, a title with a prefix such as 'flags/beta/*', or '*'",
  };
  return phrases[kind];
}

/** How kinds are named in help and in the README. */
export function kindName({ kind }: Option): string {
  if (typeof kind === 'object') return kind.oneOf.join(' | ');
  const names: Partial<Record<Kind, string>> = {
    address: 'host:port',
    location: 'north,east',
    range: 'title/prefix*',
    pattern: 'title/prefix*',
    database: 'n=title',
    certificate: 'name=right+right@title/prefix*',
    levels: 'level,module=level',
    store: 'postgres://…',
  };
  return kind === 'values' ? 'all | inline:SIZE | none' : (names[kind] ?? kind);
}

function parseInteger(text: string, between: Option['between']): number | undefined {
  if (!/^-?\d{1,15}$/.test(text)) return undefined;
  return within(Number(text), between);
}

function within(value: number | undefined, between: Option['between']): number | undefined {
  if (value === undefined || between === undefined) return value;
  return value < between[0] || value > between[1] ? undefined : value;
}

function parseLocation(text: string): readonly [number, number] | undefined {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text);
  if (match === null) return undefined;
  const [north, east] = [Number(match[1]), Number(match[2])];
  return Math.abs(north) <= 90 && Math.abs(east) <= 180 ? [north, east] : undefined;
}

function parseValueMode(text: string): ValueMode | undefined {
  if (text === 'all' || text === 'none') return { kind: text };
  const bytesMax = text.startsWith('inline:') ? parseSize(text.slice('inline:'.length)) : undefined;
  return bytesMax === undefined ? undefined : { kind: 'inline', bytesMax };
}

function parseDatabase(text: string): MappedDatabase | undefined {
  const match = /^(\d{1,4})=(.+)$/s.exec(text);
  return match?.[2] === undefined ? undefined : { number: Number(match[1]), namespace: match[2] };
}

function isUrl(text: string, kind: 'url' | 'store'): boolean {
  const protocol = kind === 'url' ? /^https?:\/\// : /^postgres(ql)?:\/\/\S+$/;
  return protocol.test(text) && URL.canParse(text);
}

function parseShare(text: string): number | undefined {
  const share = /^\d(\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
  return share !== undefined && share <= 1 ? share : undefined;
}

/** True where a URL of a store carries a password. */
export function holdsPassword(text: string): boolean {
  const { password, searchParams } = new URL(text);
  return password !== '' || searchParams.has('password') || searchParams.has('sslpassword');
}

/** A star stands at the end alone, or behind the beginning of a title too. */
function isPattern(text: string): boolean {
  return (text !== '' && !text.slice(0, -1).includes('*')) || /^[^*/]*\*\/[^*]*\*$/.test(text);
}

/** The names of hosts and URIs have neither an equals sign nor an at sign that would be taken for one of these. */
function parseCertificate(text: string): CertificateRights | undefined {
  const [, name = '', given = '', where = '*'] = /^([^=]+)=([^@]+)(?:@(.+))?$/s.exec(text) ?? [];
  const known = given.split('+').flatMap((word): Right[] => rights.filter((right) => right === word));
  const slash = where.indexOf('/');
  const prefix = slash === -1 ? '' : where.slice(slash + 1);
  const isPrefix = slash === -1 || prefix.endsWith('*');
  if (name === '' || name.split('*').length > 2 || known.length !== given.split('+').length || !isPrefix) {
    return undefined;
  }
  const namespace = slash === -1 ? where : where.slice(0, slash);
  return { name, scope: { namespace, prefix: prefix.slice(0, -1), rights: known } };
}

/** A title ends at the first slash; what stands behind it is a prefix and says so with its star. */
function parseTitledRange(text: string): TitledRange | undefined {
  if (text === '*') return { title: '*', prefix: '' };
  const slash = text.indexOf('/');
  const title = slash === -1 ? text : text.slice(0, slash);
  if (title === '' || title.includes('*')) return undefined;
  if (slash === -1) return { title, prefix: '' };
  return text.endsWith('*') ? { title, prefix: text.slice(slash + 1, -1) } : undefined;
}
