// A rude caller, in a process of its own so that its work is not the well-behaved client's: it goes on until it is killed.
//
//   node attacker.mjs ATTACK GRPC_HOST:PORT HTTP_HOST:PORT LARGE_VALUES LARGE_MIB
//
// The node holds the keys large-0 … large-(LARGE_VALUES - 1) of LARGE_MIB MiB each in the namespace `attacked`, and takes
// requests of so many. All talks to gRPC go
// over HTTP/2 itself: a gRPC client takes in what its user does not read, and would be the one whose memory grows.
import { connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ended, field, frame, kept, loops, request, untilParentIsGone } from './attack-tools.mjs';

const [attack, grpc, http, count, mebibytes] = process.argv.slice(2);
const namespace = 'attacked';
const mebibyte = 1024 * 1024;
const largeBytes = Number(mebibytes) * mebibyte;
const largeKeys = Array.from({ length: Number(count) }, (_, i) => `large-${i}`);
const large = (i) => largeKeys[i % largeKeys.length] ?? 'large-0';
const [httpHost, httpPort] = http.split(':');

const keyed = (key) => Buffer.concat([field(1, namespace), field(2, key)]);

function session(settings = {}) {
  const opened = connectHttp2(`http://${grpc}`, { settings });
  opened.on('error', () => {});
  return opened;
}

function call(on, method, more = {}) {
  const headers = { ':method': 'POST', ':path': `/meridian.v1.${method}`, te: 'trailers' };
  const stream = on.request({ ...headers, 'content-type': 'application/grpc', ...more });
  stream.on('error', () => {});
  return stream;
}

function socket(text = '') {
  const opened = connectTcp(Number(httpPort), httpHost);
  opened.on('error', () => {});
  if (text !== '') opened.on('connect', () => opened.write(text));
  return opened;
}

/** So many connections, each opened anew once it is closed. */
function sessionsOf(many, settings) {
  const sessions = Array.from({ length: many }, () => session(settings));
  return (n) => {
    const { closed, destroyed } = sessions[n % many];
    if (closed || destroyed) sessions[n % many] = session(settings);
    return sessions[n % many];
  };
}

const bound = `Meridian-Namespace: ${namespace}\r\n`;

const attacks = {
  'reads that nobody reads': () => {
    const sessions = sessionsOf(8);
    kept(128, (n) => {
      const stream = call(sessions(n), 'KV/Read');
      stream.end(frame(keyed(large(n))));
      return stream;
    });
  },
  'reads that are opened and cancelled': () => {
    const sessions = sessionsOf(8);
    loops(128, async (n) => {
      const stream = call(sessions(n), 'KV/Read');
      stream.end(frame(keyed(large(n))));
      await delay(20);
      stream.close(constants.NGHTTP2_CANCEL);
      await ended(stream);
    });
  },
  'gets of large values over HTTP that nobody reads': () => {
    kept(400, (n) => socket(request('GET', `/${large(n)}?urlencoded=true`, bound)).pause());
  },
  'batch gets of large values': () => {
    const sessions = sessionsOf(32);
    loops(32, async (n) => {
      const stream = call(sessions(n), 'KV/BatchGet');
      const keys = Array.from({ length: 100 }, (_, i) => field(2, large(n + i)));
      stream.end(frame(Buffer.concat([field(1, namespace), ...keys])));
      stream.resume();
      await ended(stream);
    });
  },
  'pipelined scrapes that nobody reads': () => {
    kept(50, () => socket(request('GET', '/metrics').repeat(10_000)).pause());
  },
  'pipelined scrapes on one connection': () => {
    kept(1, () => socket(request('GET', '/metrics').repeat(10_000)).resume());
  },
  'lists that nobody reads': () => {
    const sessions = sessionsOf(8, { initialWindowSize: 1 });
    kept(2000, (n) => {
      const stream = call(sessions(n), 'KV/List');
      stream.end(frame(field(1, namespace)));
      return stream;
    });
  },
  'messages that stop before their end': () => {
    const sessions = sessionsOf(8);
    const message = frame(Buffer.concat([keyed('stalled'), field(3, Buffer.alloc(4 * mebibyte - 4096))]));
    kept(1000, (n) => {
      const stream = call(sessions(n), 'KV/Put');
      stream.write(message.subarray(0, -1));
      return stream.resume();
    });
  },
  'batches that stop before their end': () => {
    const sessions = sessionsOf(8);
    const put = field(2, Buffer.concat([field(1, 'stalled'), field(3, field(1, Buffer.alloc(mebibyte)))]));
    const more = frame(field(3, Buffer.alloc(mebibyte)));
    kept(100, (n) => {
      const stream = call(sessions(n), 'KV/Write');
      stream.write(frame(field(1, field(1, namespace))));
      stream.write(frame(put));
      for (let i = 1; i < Number(mebibytes) - 1; i++) stream.write(more);
      return stream.resume();
    });
  },
  'uploads over HTTP that stop before their end': () => {
    const head = request('PUT', '/stalled?urlencoded=true', `${bound}Content-Length: ${largeBytes}\r\n`);
    const most = Buffer.alloc(largeBytes - mebibyte);
    kept(100, () => {
      const opened = socket(head);
      opened.on('connect', () => opened.write(most));
      return opened.resume();
    });
  },
  'large uploads at once': () => {
    const head = request(
      'PUT',
      '/uploaded?urlencoded=true',
      `${bound}Content-Length: ${largeBytes}\r\nConnection: close\r\n`,
    );
    const body = Buffer.alloc(largeBytes);
    loops(100, async () => {
      const opened = socket(head);
      opened.on('connect', () => opened.write(body));
      opened.resume();
      await ended(opened);
    });
  },
  'idle connections': () => {
    kept(6000, () => socket());
    kept(1000, () => {
      const opened = session();
      return opened;
    });
  },
  'headers without end': () => {
    kept(500, () => {
      const opened = socket('GET / HTTP/1.1\r\n');
      const timer = setInterval(() => opened.write(`x-${'y'.repeat(1000)}: ${'z'.repeat(1000)}\r\n`), 10);
      opened.once('close', () => clearInterval(timer));
      return opened.resume();
    });
  },
  'calls that are reset at once, on new connections': () => {
    loops(16, async (n) => {
      const opened = session();
      for (let i = 0; i < 200; i++) {
        const stream = call(opened, 'KV/Get');
        stream.end(frame(keyed(`small-${(n + i) % 50}`)));
        stream.close(constants.NGHTTP2_CANCEL);
      }
      await delay(50);
      opened.destroy();
    });
  },
  'streams that are opened and dropped': () => {
    const sessions = sessionsOf(8);
    loops(64, async (n) => {
      const stream = call(sessions(n), n % 2 === 0 ? 'KV/Watch' : 'Feed/Follow');
      if (n % 2 === 0) stream.end(frame(field(1, namespace)));
      await delay(10);
      stream.close(constants.NGHTTP2_CANCEL);
      await ended(stream);
    });
  },
};

const run = attacks[attack];
if (run === undefined) throw new Error(`no such attack: ${attack}; there are ${Object.keys(attacks).join('; ')}`);
run();
untilParentIsGone();
