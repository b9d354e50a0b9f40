import { parseBulkGet } from '../../src/http/workers/bulk-get.ts';
import { checkBulkText } from '../../src/http/workers/bulk-text.ts';
import { parseExpiration } from '../../src/http/workers/expiration.ts';
import { metadataOfForm } from '../../src/http/workers/form-metadata.ts';
import { fieldBytes } from '../../src/http/workers/form-value.ts';
import { checkedKey, checkedPrefix, decodeKey } from '../../src/http/workers/key-in-path.ts';
import { checkMetadata, metadataFromHeader, metadataToHeader } from '../../src/http/workers/metadata-text.ts';
import { Refusal } from '../../src/http/workers/refusal.ts';
import { parseTarget } from '../../src/http/workers/target.ts';
import { jsonIn } from '../../src/http/workers/text-in.ts';
import { exactJson, losesDigits, partsOf } from '../../src/model/json-text.ts';
import { findCommand } from '../../src/resp/commands/find-command.ts';
import type { Command, ParserLimits } from '../../src/resp/protocol/command-parser.ts';
import { CommandParser, ProtocolError } from '../../src/resp/protocol/command-parser.ts';
import { RespError } from '../../src/resp/protocol/reply.ts';
import { check, type FuzzTarget, isRefusal, orRefused, parted } from './target.ts';

const limits: ParserLimits = {
  ...{ argumentsMax: 64, argumentBytesMax: 4096, commandBytesMax: 8192, droppedBytesMax: 16_384 },
  ...{ inlineBytesMax: 256, smallBytesMax: 1024 },
};

/** Until nothing more can be understood: what was seen, and why it ended. */
function commandsIn(pieces: readonly Buffer[]): string[] {
  const parser = new CommandParser(limits);
  const seen: string[] = [];
  try {
    for (const piece of pieces) {
      parser.push(Buffer.from(piece));
      for (;;) {
        const command = parser.next();
        if (command !== undefined) seen.push(textOf(command));
        else if (parser.wanted !== undefined) parser.grant(parser.wanted.bytes);
        else break;
      }
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    seen.push(`broken: ${error.message}`);
  }
  return seen;
}

function textOf(command: Command): string {
  orRefused(
    () => findCommand(command),
    (error) => error instanceof RespError,
  );
  return JSON.stringify([command.args.map((arg) => arg.toString('latin1')), command.refusal]);
}

/** The first part says where the bytes of the rest are cut. */
const resp: FuzzTarget = {
  name: 'resp-commands',
  run: (bytes) => {
    const [cuts, stream] = parted(bytes);
    const pieces: Buffer[] = [];
    let at = 0;
    for (const cut of cuts) {
      pieces.push(stream.subarray(at, at + cut));
      at += cut;
    }
    const [cutSeen, wholeSeen] = [commandsIn([...pieces, stream.subarray(at)]), commandsIn([stream])];
    check(cutSeen.join() === wholeSeen.join(), 'commands are the same however they are cut', [cutSeen, wholeSeen]);
  },
  seeds: () => [
    Buffer.from('\x02\x05\x09*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvv\r\nGET k\r\n', 'latin1'),
    Buffer.from('\x00SET "a\\x41b" \'c\'\r\nPING\r\n', 'latin1'),
  ],
};

const isHttpRefusal = (error: unknown) => error instanceof Refusal || isRefusal(error);

/** A request's target, its headers and its JSON. */
const http: FuzzTarget = {
  name: 'http-requests',
  run: (bytes) => {
    const text = bytes.toString('latin1');
    const target = orRefused(() => parseTarget(text), isHttpRefusal);
    if (target !== undefined) {
      for (const value of target.query.values()) check(value.isWellFormed(), 'a query is text', value);
      const times = { expiration: target.query.get('expiration'), ttl: target.query.get('expiration_ttl') };
      const expiry = orRefused(() => parseExpiration(times, 1_700_000_000_000), isHttpRefusal);
      if (expiry !== undefined) check(Number.isSafeInteger(expiry.seconds), 'a time is whole seconds', expiry);
      const key = orRefused(() => checkedKey(decodeKey(target.path.slice(1))), isHttpRefusal);
      if (key !== undefined) check(decodeKey(encodeURIComponent(key)) === key, 'a key is what its path says', key);
      orRefused(() => checkedPrefix(target.query.get('prefix') ?? ''), isHttpRefusal);
    }
    const metadata = orRefused(() => checkMetadata(metadataFromHeader(text)), isHttpRefusal);
    if (metadata !== undefined) {
      const again = orRefused(() => metadataFromHeader(metadataToHeader(metadata)), isHttpRefusal) ?? '';
      check(same(metadata, again), 'metadata in a header are what they were', metadata);
    }
    orRefused(() => checkBulkText(bytes), isHttpRefusal);
    const json = orRefused(() => jsonIn(bytes), isHttpRefusal);
    if (json !== undefined) orRefused(() => parseBulkGet(json), isHttpRefusal);
  },
  seeds: () =>
    [
      '/a%2Fb?prefix=x&expiration_ttl=60&cache_ttl=30',
      '/client/v4/accounts/a/storage/kv/namespaces/n/values/%E2%82%AC?expiration=1800000000',
      '{"keys":["a","b"],"type":"json","withMetadata":true}',
      '[{"key":"k","value":"v","metadata":{"a":[1]}}]',
    ].map((seed) => Buffer.from(seed)),
};

function same(a: string, b: string): boolean {
  return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
}

/** JSON whose digits are kept: what is taken apart is the same again. */
const json: FuzzTarget = {
  name: 'json-text',
  run: (bytes) => {
    const text = bytes.toString();
    if (
      orRefused(
        () => [JSON.parse(text)],
        (error) => error instanceof SyntaxError,
      ) === undefined
    )
      return;
    losesDigits(text);
    check(same(text, exactJson(text)), 'exact JSON says the same', text);
    partsOf(text);
  },
  seeds: () =>
    ['{"a":[1.0,1e400,"\\u0041"],"b":{}}', '[12345678901234567890, -0.0]', ' "x" '].map((seed) => Buffer.from(seed)),
};

const boundary = 'b';

/** A form whose boundary is `b`: what it holds is found whatever else is there. */
const multipart: FuzzTarget = {
  name: 'http-multipart',
  run: async (bytes) => {
    const [type, body] = parted(bytes);
    const types = [`multipart/form-data; boundary=${boundary}`, type.toString('latin1')];
    for (const contentType of types) {
      const field = fieldBytes(body, contentType, 'value');
      if (field !== undefined) check(body.includes(field), 'a field is a part of the body', field.length);
    }
    let form: FormData;
    try {
      form = await new Response(new Uint8Array(body), { headers: { 'content-type': types[0] ?? '' } }).formData();
    } catch {
      return; // As Node.js refuses what is no form.
    }
    const metadata = await metadataOfForm(form);
    if (metadata !== undefined) orRefused(() => checkMetadata(metadata), isHttpRefusal);
  },
  seeds: () => {
    const part = (name: string, value: string) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    const form = `${part('value', 'v')}${part('metadata[a][]', '1')}${part('metadata[b]', '2')}--${boundary}--\r\n`;
    return [Buffer.from(`\0${form}`), Buffer.from(`\0${part('metadata', '{}')}--${boundary}--`)];
  },
};

export const outsideTargets: readonly FuzzTarget[] = [resp, http, json, multipart];
