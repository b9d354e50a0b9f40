// Somebody who wants what is not his, in a process of his own. He goes on until he is killed, and writes a line for each
// answer in which he finds the mark that stands in all that he may not see.
//
//   ATTACK_AIM='{"grpc":…,"http":…,"redis":…,"mark":…,"tokens":{…},"hidden":ID,"mine":ID}' node attacker.mjs ATTACK
//
// The token `scoped` may read, list, write and watch what begins with `app/` in the namespace `mine`; `greedy` may read
// there. The others are of nobody. The namespace `hidden` holds `secret/1`, and so does `mine`, beyond the prefix.
import { randomBytes } from 'node:crypto';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ended, frame, kept, loops, request, untilParentIsGone } from '../overload/attack-tools.mjs';

const { services } = await import(pathToFileURL(resolve('dist/rpc/proto.js')).href);
const { grpc, http, redis, mark, tokens, hidden, mine } = JSON.parse(process.env.ATTACK_AIM);
const attack = process.argv[2];
const strangers = [undefined, '', tokens.wrong, tokens.foreign, tokens.expired, tokens.revoked, `${tokens.scoped}0`];
const at = (list, n) => list[n % list.length];
let asked = 0;
let open = 0;
let openMost = 0;

function count() {
  asked++;
  if (asked % 250 === 0) process.stdout.write(`ASKED ${asked}\n`);
}

/** Connections that are there at once. */
function counted(opened) {
  return opened.once('connect', () => {
    open++;
    opened.once('close', () => open--);
    if (open > openMost && open % 100 === 0) process.stdout.write(`OPEN ${open}\n`);
    openMost = Math.max(open, openMost);
  });
}

/** Looks for the mark in all that comes, also where it is cut in two. */
function looksAt(what) {
  let last = '';
  return (chunk) => {
    const text = last + chunk.toString('latin1');
    if (text.includes(mark)) process.stdout.write(`UNAUTHORISED ${what}\n`);
    last = text.slice(-mark.length);
  };
}

function socket(place, text, what) {
  const [host, port] = place.split(':');
  const opened = connectTcp(Number(port), host);
  const look = looksAt(what);
  counted(opened.on('error', () => {}).on('data', look));
  if (text !== undefined) opened.on('connect', () => opened.write(text));
  count();
  return opened;
}

/** Asks on a connection of its own, and waits a little for what comes. */
async function tell(place, text, what, ms = 500) {
  const opened = socket(place, text, what);
  await Promise.race([ended(opened), delay(ms)]);
  opened.destroy();
}

function sessionsOf(many) {
  const open = () => connectHttp2(`http://${grpc}`).on('error', () => {});
  const sessions = Array.from({ length: many }, open);
  return (n) => {
    const { closed, destroyed } = sessions[n % many];
    if (closed || destroyed) sessions[n % many] = open();
    return sessions[n % many];
  };
}

/** One call with whatever bytes; what comes back is looked at, trailers too. */
function call(session, path, bytes, token) {
  const headers = { ':method': 'POST', ':path': path, te: 'trailers', 'content-type': 'application/grpc' };
  const stream = session.request(token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` });
  const look = looksAt(`${path} ${token === undefined ? 'without a token' : 'with a token'}`);
  stream.on('error', () => {}).on('data', look);
  for (const event of ['response', 'trailers']) stream.on(event, (more) => look(JSON.stringify(more)));
  if (bytes !== undefined) stream.end(bytes);
  count();
  return stream;
}

async function ask(session, path, bytes, token) {
  const stream = call(session, path, bytes, token);
  await Promise.race([ended(stream), delay(1000)]);
  stream.destroy();
}

const pathOf = (service, method) => services[service].service[method].path;
const messageOf = (service, method, message) => frame(services[service].service[method].requestSerialize(message));

/** What is not his, asked for in every way that gRPC has. */
function escapes() {
  const names = ['hidden', hidden, 'mine', mine, '0'.repeat(32), '*', '', 'mine/../hidden', 'HIDDEN', 'mine\u0000'];
  const keys = ['secret/1', 'app', '', 'app/../secret/1', 'APP/1', 'secret/1\u0000app/', 'app\u2044secret'];
  const read = names.flatMap((namespace) =>
    keys.flatMap((key) => [
      ['kv', 'Get', { namespace, key }],
      ['kv', 'Read', { namespace, key }],
      ['kv', 'BatchGet', { namespace, keys: ['app/1', key] }],
      ['kv', 'Put', { namespace, key, body: { value: Buffer.from('planted') } }],
      ['kv', 'Delete', { namespace, key }],
      ['kv', 'List', { namespace, prefix: key }],
      ['kv', 'Watch', { namespace, prefix: key, fromStart: true }],
    ]),
  );
  const node = { name: 'x', role: 'edge', id: '1'.repeat(16), region: 'x' };
  const follow = ['copy', 'cache', 'watch', 'peer'].flatMap((role) =>
    [hidden, mine, '*', '0'.repeat(32)].map((namespace) => {
      const filter = { includes: [{ namespace, prefix: '' }], excludes: [] };
      const open = {
        protocol: 2,
        node,
        nonce: 'x',
        role: role.toUpperCase(),
        filter,
        values: { all: true },
        nothing: true,
      };
      return ['feed', 'Follow', { open }];
    }),
  );
  const administer = [
    ...names.flatMap((name) => [
      ['namespaces', 'Get', { name }],
      ['namespaces', 'Rename', { name, title: 'mine' }],
      ['namespaces', 'Delete', { name }],
    ]),
    ['namespaces', 'List', {}],
    ['namespaces', 'Create', { title: 'planted' }],
    ['cluster', 'Status', {}],
    ['cluster', 'Members', {}],
    ['cluster', 'Digest', {}],
    ['cluster', 'DigestRange', { namespace: hidden, prefix: '' }],
    ['cluster', 'RemoveMember', { name: 'iad', force: true }],
    ['cluster', 'Report', {}],
    ['tokens', 'List', {}],
    ['tokens', 'Create', { name: 'planted', namespace: '*', prefix: '', rights: ['admin'] }],
    ['tokens', 'Rotate', { name: 'behaved', graceMs: 0 }],
    ['tokens', 'Revoke', { name: 'behaved' }],
  ];
  return [...read, ...follow, ...administer].flatMap(([service, method, message]) => {
    try {
      return [[pathOf(service, method), messageOf(service, method, message)]];
    } catch {
      return []; // What the library cannot say, the malformed messages do.
    }
  });
}

const bearer = (token) => (token === undefined ? '' : `Authorization: Bearer ${token}\r\n`);
const httpEscapes = [
  ...['/secret%2F1?urlencoded=true', '/%73ecret%2F1?urlencoded=true', '/app%2F..%2Fsecret%2F1?urlencoded=true'],
  ...['/secret/1', '/app/../secret/1', '//secret/1', '/?prefix=', '/?prefix=s', '/?prefix=app&prefix=', '/?list', '/'],
  ...['/%2573ecret%252F1?urlencoded=true', 'http://x/secret/1', '/app/1?cache_ttl=30#/secret/1'],
];
const rest = '/client/v4/accounts/a/storage/kv/namespaces';
const restEscapes = [
  ...[
    rest,
    `${rest}/${hidden}`,
    `${rest}/${hidden}/keys`,
    `${rest}/${hidden}/values/secret%2F1`,
    `${rest}/${mine}/keys`,
  ],
  ...[`${rest}/${mine}/values/secret%2F1`, `${rest}/${hidden}/metadata/secret%2F1`, `${rest}/hidden/values/secret%2F1`],
  ...[`${rest}/${mine}%2F..%2F${hidden}/values/secret%2F1`, '/metrics', '/status', '/hot-keys', '/readyz'],
];
const redisEscapes = [
  ...[
    'GET secret/1',
    'MGET app/1 secret/1',
    'SCAN 0',
    'SCAN 0 MATCH *',
    'KEYS *',
    'SET secret/1 planted',
    'DEL secret/1',
  ],
  ...['STRLEN secret/1', 'EXISTS secret/1', 'TTL secret/1', 'SELECT 1', 'INFO', 'DBSIZE', 'GETRANGE secret/1 0 -1'],
  ...['MERIDIAN.GET secret/1', 'CLIENT TRACKING on BCAST', 'FLUSHALL', 'CONFIG GET *', 'MSET app/1 x secret/1 planted'],
];

function httpText(n, token, names = ['hidden', 'mine', hidden, mine, 'mine, hidden', ' hidden']) {
  const named = `Meridian-Namespace: ${at(names, n)}\r\n`;
  const more = `${bearer(token)}Connection: close\r\n`;
  if (n % 3 === 0) return request('GET', at(restEscapes, n), more);
  if (n % 7 === 0) {
    const body = JSON.stringify({ keys: ['app/1', 'secret/1'] });
    return request('POST', '/bulk/get', `${named}${more}Content-Length: ${body.length}\r\n`) + body;
  }
  if (n % 11 === 0)
    return `${request('PUT', '/secret%2F1?urlencoded=true', `${named}${more}Content-Length: 7\r\n`)}planted`;
  if (n % 13 === 0) return request('DELETE', `${rest}/${hidden}`, more);
  return request('GET', at(httpEscapes, n), named + more);
}

function redisText(n, token) {
  const auths = [
    `AUTH hidden ${token}`,
    `AUTH mine ${token}`,
    `HELLO 3 AUTH hidden ${token}`,
    `AUTH ${hidden} ${token}`,
    `AUTH ${token}`,
  ];
  const auth = token === undefined || token === '' ? 'PING' : at(auths, n);
  return `${auth}\r\n${redisEscapes.map((command) => `${command}\r\n`).join('')}`;
}

/** Bytes that no client sends: whole messages changed somewhere, lengths that nothing has, and noise. */
function malformed(n) {
  const noise = randomBytes(1 + (n % 3000));
  switch (n % 4) {
    case 0:
      return Buffer.concat([Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), noise]);
    case 1:
      return Buffer.concat([Buffer.from([1]), frame(noise).subarray(1)]);
    case 2:
      return frame(noise);
    default: {
      const whole = Buffer.from(at(escapes(), n)[1]);
      for (let i = 0; i < 4; i++) whole[Math.floor(Math.random() * whole.length)] = noise[i] ?? 0;
      return whole;
    }
  }
}

const attacks = {
  'wrong, expired, revoked and foreign tokens': () => {
    const sessions = sessionsOf(8);
    const all = escapes();
    loops(32, (n) => ask(sessions(n), ...at(all, n), at(strangers, n + Math.floor(n / all.length))));
    loops(16, (n) => tell(http, httpText(n, at(strangers, n)), `HTTP ${n}`));
    loops(8, (n) => tell(redis, redisText(n, at(strangers, n)), `Redis ${n}`));
  },
  'a valid token beyond its scope': () => {
    const sessions = sessionsOf(8);
    const all = escapes();
    loops(32, (n) => ask(sessions(n), ...at(all, n), tokens.scoped));
    loops(16, (n) => tell(http, httpText(n, tokens.scoped), `HTTP ${httpText(n, 'scoped').slice(0, 80)}`));
    loops(8, (n) => tell(redis, redisText(n, tokens.scoped), `Redis ${n}`));
  },
  'oversized and malformed frames': () => {
    const sessions = sessionsOf(8);
    const paths = escapes().map(([path]) => path);
    const callers = [tokens.scoped, undefined, tokens.wrong];
    loops(16, (n) =>
      ask(sessions(n), at([...paths, '/meridian.v1.KV/Pipeline', '/x'], n), malformed(n), at(callers, n)),
    );
    loops(8, (n) =>
      tell(grpc, at(['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ''], n) + randomBytes(500).toString('latin1'), 'gRPC'),
    );
    const heads = [
      'GET / HTTP/9.9\r\n\r\n',
      `GET /${'x'.repeat(70_000)} HTTP/1.1\r\n\r\n`,
      'Content-Length: -1\r\n\r\n',
    ];
    const chunked = request(
      'PUT',
      '/app%2F1',
      `Meridian-Namespace: mine\r\n${bearer(tokens.scoped)}Transfer-Encoding: chunked\r\n`,
    );
    loops(8, (n) =>
      tell(http, at([...heads, `${chunked}ffffffffffffffff\r\n`, randomBytes(999).toString('latin1')], n), 'HTTP'),
    );
    const commands = [
      '*1000000000\r\n',
      '*1\r\n$-2\r\n',
      '*1\r\n$999999999999\r\n',
      '$3\r\nabc\r\n',
      'x'.repeat(100_000),
    ];
    loops(8, (n) =>
      tell(
        redis,
        at([...commands, `AUTH mine ${tokens.scoped}\r\n*3\r\n$3\r\nSET\r\n$5\r\napp/1\r\n$99999999\r\n`], n),
        'Redis',
      ),
    );
  },
  '10,000 connections': async () => {
    const auth = `AUTH mine ${tokens.scoped}\r\n`;
    const kinds = [
      (n) => socket(http, n % 2 === 0 ? undefined : request('GET', '/livez'), 'HTTP'),
      (n) => socket(redis, n % 2 === 0 ? auth : undefined, 'Redis'),
      (_n) => counted(connectHttp2(`http://${grpc}`).on('error', () => {})),
      (n) => socket(grpc, n % 2 === 0 ? undefined : 'PRI', 'gRPC'),
    ];
    // A few at a time, as the system lets a listener keep some that are not accepted yet.
    for (let n = 0; n < 10_000; n += 100) {
      kept(100, (i) => at(kinds, n / 100)(i));
      await delay(5);
    }
  },
  'slow-loris on all ports': () => {
    const dribble = (place, begin, more, what) => {
      const opened = socket(place, begin, what);
      const timer = setInterval(() => opened.write(more), 100);
      opened.once('close', () => clearInterval(timer));
      return opened;
    };
    kept(700, () => dribble(http, 'GET / HTTP/1.1\r\n', 'x: y\r\n', 'HTTP'));
    kept(300, () =>
      dribble(
        http,
        request('PUT', '/app%2F1', `Meridian-Namespace: mine\r\n${bearer(tokens.scoped)}Content-Length: 9999999\r\n`),
        'z',
        'HTTP',
      ),
    );
    kept(500, () =>
      dribble(redis, `AUTH mine ${tokens.scoped}\r\n*3\r\n$3\r\nSET\r\n$5\r\napp/1\r\n$9999999\r\n`, 'z', 'Redis'),
    );
    kept(500, () => dribble(grpc, 'PRI * HTTP/2.0\r\n', 'S', 'gRPC'));
  },
  'floods of streams and resets': () => {
    loops(16, async (n) => {
      const session = connectHttp2(`http://${grpc}`).on('error', () => {});
      for (let i = 0; i < 300; i++) {
        const [path, bytes] = at(escapes(), n + i);
        call(session, path, bytes, at([tokens.scoped, ...strangers], i)).close(constants.NGHTTP2_CANCEL);
      }
      await delay(50);
      session.destroy();
    });
    const sessions = sessionsOf(16);
    const watch = messageOf('kv', 'Watch', { namespace: 'mine', prefix: 'app/' });
    loops(64, async (n) => {
      const stream = call(sessions(n), pathOf('kv', 'Watch'), watch, tokens.scoped);
      await delay(10);
      stream.close(constants.NGHTTP2_CANCEL);
      await ended(stream);
    });
  },
  'a valid token that takes all it can get': () => {
    const sessions = sessionsOf(64);
    const get = messageOf('kv', 'Get', { namespace: 'mine', key: 'app/1' });
    loops(512, (n) => ask(sessions(n), pathOf('kv', 'Get'), get, tokens.greedy));
    const text = request('GET', '/app%2F1?urlencoded=true', `Meridian-Namespace: mine\r\n${bearer(tokens.greedy)}`);
    kept(200, () => socket(http, text.repeat(100), 'HTTP'));
    kept(64, () => socket(redis, `AUTH mine ${tokens.greedy}\r\n${'GET app/1\r\n'.repeat(5000)}`, 'Redis'));
  },
};

const run = attacks[attack];
if (run === undefined) throw new Error(`no such attack: ${attack}; there are ${Object.keys(attacks).join('; ')}`);
untilParentIsGone();
await run();
process.stdout.write('UNDER WAY\n');
