import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';

test.each(['', 'x', '127.0.0.1', 'http://127.0.0.1:7100', '127.0.0.1:0', '127.0.0.1:65536', '::1:7100', 'a b:1'])(
  'an endpoint %j is refused at once, with what it should be',
  (endpoint) => {
    const message = `an endpoint must be host:port, such as 127.0.0.1:7100 or [::1]:7100; it is "${endpoint}"`;
    const refused = expect.objectContaining({ code: 'INVALID_ARGUMENT', message });
    expect(() => connect({ endpoints: ['127.0.0.1:7100', endpoint] })).toThrow(refused);
  },
);

test('names, addresses of both kinds and the largest port are endpoints', async () => {
  const cluster = connect({
    endpoints: ['localhost:7100', 'iad.example.org:65535', '127.0.0.1:1', '[::1]:7100', 'node_a:7100'],
  });
  await cluster.close();
});

test.each(['pipeline', 'unary'] as const)(
  'a token that no header carries is refused over %s, and not shown',
  async (protocol) => {
    const secret = 'mk_0123456789abcdef';
    for (const token of [`${secret}\n`, () => `${secret}ü`]) {
      const cluster = connect({ endpoints: ['127.0.0.1:1'], token, protocol });
      const flags = cluster.namespace('flags');
      const mutations = ['a', 'b'].map((key) => ({ kind: 'delete', key }) as const);
      const watched = flags.watch()[Symbol.asyncIterator]();
      for (const refused of [
        flags.get('k'),
        flags.put('k', 'v'),
        flags.list(),
        flags.write(mutations),
        watched.next(),
      ]) {
        const error: unknown = await refused.catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { reason: 'bad-token' } });
        expect(inspect(error)).not.toContain(secret);
      }
      cluster.close();
    }
  },
);
