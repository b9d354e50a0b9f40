import { textOfUtf8 } from '../../model/text.ts';
import { UsageError } from '../usage-error.ts';
import { bytesOfBase64, type ImportRecord, type JsonFields, jsonFields } from './import-record.ts';

/*
 * What the commands of other stores print. Both carry values, and etcd keys too, in base64:
 *
 *     etcdctl get --prefix '' -w json   {"header":{…},"kvs":[{"key":"Zm9v","mod_revision":7,"value":"YmFy"},…],"count":1}
 *     consul kv export                  [{"key":"foo","flags":0,"value":"YmFy"},…]
 */

/** Of one of etcd's `kvs`. A lease is not followed: etcd's list does not say when it ends. @throws UsageError */
export function recordOfEtcd(text: string, place: string): ImportRecord {
  const { fields } = jsonFields(text, place);
  const key = textOfUtf8(base64Field('key', fields, place));
  if (key === undefined) throw new UsageError(`${place}: "key" is no UTF-8`);
  return { key, value: base64Field('value', fields, place) };
}

/** Of Consul's export. Flags other than 0 become metadata: `{"flags":42}`. @throws UsageError */
export function recordOfConsul(text: string, place: string): ImportRecord {
  const { fields, jsonOf } = jsonFields(text, place);
  const key = fields['key'];
  if (typeof key !== 'string') throw new UsageError(`${place} has no "key"`);
  const flags = fields['flags'] ?? 0;
  return {
    key,
    value: base64Field('value', fields, place),
    ...(flags === 0 ? {} : { metadataText: `{"flags":${jsonOf('flags')}}` }),
  };
}

/** Empty where it is missing or null, as both say of an empty value. */
function base64Field(name: string, fields: JsonFields['fields'], place: string): Uint8Array {
  const text = fields[name] ?? '';
  if (typeof text === 'string') return bytesOfBase64(text, place);
  throw new UsageError(`${place}: "${name}" must be base64; it is ${JSON.stringify(text)}`);
}

const listBegin = '"kvs":[';
/** Bytes before a list, which hold its header and the end of the answer before. */
const headerBytesMax = 64 * 1024;
/** An answer without keys. */
const emptyAnswer = String.raw`\s*\{"header":\{[^{}]*\}\}\s*`;
/** What may stand behind the last list, `,"more":true,"count":3}` say, and where there is none. */
const behindLists = new RegExp(String.raw`^(,"\w+":[^{}[\]]*)?\}(${emptyAnswer})*\s*$`);
const withoutLists = new RegExp(`^(${emptyAnswer})+$`);

/**
 * The objects of etcd's list, as an array of any size: what stands around them is left out. Keys and values are base64, so
 * that the first bracket behind the list's beginning is its end. Several answers one after another, of some prefixes say,
 * give their lists one after another. Nothing where there is no list, as of no keys.
 * @throws UsageError where this is no such answer, or is cut off
 */
export async function* listOfEtcd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let outside = '';
  let [isInside, lists] = [false, 0];
  for await (const chunk of chunks) {
    let rest = Buffer.from(chunk);
    while (rest.length > 0) {
      if (isInside) {
        const end = rest.indexOf(']') + 1;
        isInside = end === 0;
        yield isInside ? rest : rest.subarray(0, end);
        rest = isInside ? Buffer.alloc(0) : rest.subarray(end);
        continue;
      }
      outside += rest.toString('latin1');
      const at = outside.indexOf(listBegin);
      if (at < 0 && outside.length > headerBytesMax) throw noEtcd(lists);
      if (at < 0) break;
      rest = Buffer.from(outside.slice(at + listBegin.length - 1), 'latin1');
      [outside, isInside] = ['', true];
      lists++;
    }
  }
  if (isInside) throw new UsageError('the file ends within the list of etcd');
  if (!(lists === 0 ? withoutLists : behindLists).test(outside)) throw noEtcd(lists);
}

function noEtcd(lists: number): UsageError {
  if (lists > 0)
    return new UsageError(`behind its list ${lists} this is not what etcdctl get -w json prints, or is cut off`);
  return new UsageError('this is not what etcdctl get -w json prints: it has no "kvs"');
}
