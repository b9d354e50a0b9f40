import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { argumentRows, outcomeOf } from '../client/kv-arguments.ts';
import { type ServedOrigin, serveOrigin } from '../http/workers/served-origin.ts';
import { type RunningWorkerd, startWorkerd } from '../http/workers/workerd.ts';

const rows = argumentRows().map((row, index) => ({ ...row, index }));

/** Each row's call as a function; the path says which is run. */
const source = `
const calls = [${rows.map(({ call }) => `(KV) => ${call}`).join(',\n')}];
const outcomeOf = ${outcomeOf.toString()};
const worker = { async fetch(request, env) {
  const index = Number(new URL(request.url).pathname.slice(1));
  return new Response(await outcomeOf(env.KV, calls[index]));
} };
export { worker as default };`;

let served: ServedOrigin;
let workerd: RunningWorkerd;

beforeAll(async () => {
  served = await serveOrigin();
  workerd = await startWorkerd({
    node: served.address,
    outbound: served.address,
    workers: [{ name: 'arguments', source, bindings: { KV: 'config' } }],
  });
});

afterAll(async () => {
  await workerd?.stop();
  await served?.close();
});

describe('a call with odd arguments, in the real runtime', () => {
  it.each(rows)('is in Workers as the table of arguments says: $call', async ({ index, workers }) => {
    const answer = await fetch(`${workerd.urls.get('arguments')}/${index}`);
    expect(await answer.text()).toBe(workers);
  });
});
