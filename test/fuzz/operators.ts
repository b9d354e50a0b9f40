import { parse } from 'yaml';
import { Gate } from '../../src/access/gate.ts';
import { hashOfToken, newToken, tokenIdOf } from '../../src/access/token-text.ts';
import { options, optionsOf } from '../../src/config/options.ts';
import { parseValue } from '../../src/config/parse-value.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { isMeridianError } from '../../src/model/errors.ts';
import { decodeListCursor, encodeListCursor } from '../../src/model/list-cursor.ts';
import { registryNamespace } from '../../src/model/namespace.ts';
import { makeStamp } from '../../src/model/stamp.ts';
import { rights } from '../../src/model/token.ts';
import { decodeToken, encodeToken } from '../../src/replication/serving/scan.ts';
import { RegistryTokens, tokenKey } from '../../src/replication/tokens.ts';
import { tokensPage } from '../../src/rpc/codec/token-codec.ts';
import { namespacesPage } from '../../src/rpc/server/namespaces-page.ts';
import { decodeWatchCursor, encodeWatchCursor } from '../../src/rpc/server/watch-cursor.ts';
import { understoodCertificate } from '../../src/runtime/peer-certificate.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { logs, namespaces } from '../model/arbitraries.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { check, type FuzzTarget, orRefused, parted } from './target.ts';

const namespace = namespaces[1] ?? ('' as never);
const log = logs[0] ?? ('' as never);
const generation = 'g';

function checkSequences(vector: ReadonlyMap<string, number>): void {
  for (const [of, sequence] of vector) {
    check(/^[0-9a-f]{16}$/.test(of), 'a cursor names logs', of);
    check(Number.isSafeInteger(sequence) && sequence >= 0, 'a cursor has sequences', sequence);
  }
}

/** Each kind of cursor, as its text and as what that text encodes. */
const cursors: FuzzTarget = {
  name: 'cursors',
  run: (bytes) => {
    for (const text of [bytes.toString('latin1'), bytes.toString('base64url')]) {
      const after = orRefused(() => decodeListCursor(text, namespace, 'p'));
      if (after !== undefined) check(after.isWellFormed(), 'a list goes on behind a key', after);
      const watched = orRefused(() => decodeWatchCursor(text, { namespace, prefix: 'p' }));
      if (watched !== undefined) checkSequences(watched);
      const token = decodeToken(text, generation);
      if (token !== undefined) {
        checkSequences(token.cursor);
        if (token.last !== undefined) {
          const { namespace: of, key } = token.last;
          check(/^[0-9a-f]{32}$/.test(of) && typeof key === 'string', 'a scan goes on behind a record', token.last);
        }
      }
      orRefused(() => namespacesPage([], { limit: 0, cursor: text }));
      orRefused(() => tokensPage([], text));
    }
  },
  seeds: () => {
    const cursor = new Map([[log, 3]]);
    const texts = [
      encodeListCursor(namespace, 'p', 'pk'),
      encodeWatchCursor(cursor, { namespace, prefix: 'p' }),
      encodeToken({ kind: 'records', cursor, last: { namespace, key: 'k' } }, generation),
    ];
    return texts.flatMap((text) => [Buffer.from(text), Buffer.from(text, 'base64url')]);
  },
};

const random = new SeededRandom(1);
const valid = newToken(random);

/** What callers bring, what the registry keeps, and what certificates say. */
const tokens: FuzzTarget = {
  name: 'tokens',
  run: (bytes) => {
    const text = bytes.toString('latin1');
    const id = tokenIdOf(text);
    const known = new RegistryTokens();
    const stamp = makeStamp({ wallMs: 1, counter: 0, log });
    const stored = { namespace: registryNamespace, key: tokenKey(valid.id), stamp, position: { log, sequence: 1 } };
    known.apply({ kind: 'live', ...stored, value: bytes });
    const [token] = known.all();
    if (token !== undefined) {
      check(
        token.rights.every((right) => rights.includes(right)),
        'a token has known rights',
        token.rights,
      );
      check(
        [token.name, token.namespace, token.prefix, token.hash].every((one) => typeof one === 'string'),
        'a token has texts',
        token,
      );
      const numbers = Object.values(token.limits ?? {});
      check(
        numbers.every((one) => Number.isSafeInteger(one) && one >= 1),
        'limits are numbers',
        token.limits,
      );
    }
    const source = { knowsTokens: () => true, token: () => token, namespace: () => undefined };
    const gate = new Gate({ upstream: {} as never, source, clock: systemClock, adminHash: () => hashOfToken('admin') });
    const refused = (error: unknown) =>
      isMeridianError(error, 'UNAUTHENTICATED') || isMeridianError(error, 'RESOURCE_EXHAUSTED');
    const entered = orRefused(() => gate.enter({ authorization: text, address: '' }), refused);
    check(entered === undefined, 'nobody enters without the token', [text, id]);
    const certificate = { subjectaltname: text, valid_to: 'Jan  1 00:00:00 2030 GMT' };
    for (const name of understoodCertificate(certificate)?.names ?? [])
      check(typeof name === 'string', 'names are texts', name);
  },
  seeds: () => {
    const stored = {
      name: 'app',
      namespace: 'shop-*',
      prefix: 'a',
      rights: ['read', 'later'],
      createdMs: 1,
      hash: 'h',
    };
    return [
      Buffer.from(`Bearer ${valid.text}`),
      Buffer.from(JSON.stringify({ ...stored, expiresMs: 5, limits: { readsPerSecond: 3 } })),
      Buffer.from('DNS:a.example.org, URI:"spiffe://a\\u002c b", IP Address:10.0.0.1'),
    ];
  },
};

const isUsage = (error: unknown) => isMeridianError(error, 'INVALID_ARGUMENT');

/** A file in YAML, a variable, and a flag's text. */
const configuration: FuzzTarget = {
  name: 'configuration',
  run: (bytes) => {
    const [first, rest] = parted(bytes);
    const text = rest.toString();
    for (const option of Object.values(options)) {
      const value = parseValue(option, text);
      if (typeof value === 'number')
        check(Number.isFinite(value) && !Object.is(value, -0), 'numbers are finite', value);
    }
    const file = orRefused(
      () => parse(text, { logLevel: 'silent' }) as unknown,
      (error) => error instanceof Error,
    );
    const isMapping = typeof file === 'object' && file !== null && !Array.isArray(file);
    const [, option] = optionsOf('edge')[(first[0] ?? 0) % optionsOf('edge').length] ?? [];
    const env = { [`MERIDIAN_${option?.flag.toUpperCase().replaceAll('-', '_')}`]: text };
    for (const target of ['origin', 'edge', 'client'] as const) {
      const flags = target === 'edge' ? { upstream: ['o:1'] } : {};
      orRefused(() => resolveConfig(target, { flags, env, file: isMapping ? { ...file } : {} }), isUsage);
    }
  },
  seeds: () =>
    [
      '\0name: fra\nupstream:\n  - a:7100\n  - "[::1]:7100"\nmax-staleness: 60s\nreplicate: [config, "flags/beta/*"]\n',
      '\x01\x05edge-*.example.org=replicate,app=read+write@shop-*/app/*',
      '\x01\x07inline:1KiB',
    ].map((seed) => Buffer.from(seed)),
};

export const operatorTargets: readonly FuzzTarget[] = [cursors, tokens, configuration];
