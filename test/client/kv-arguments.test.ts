import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedNamespace, serveNamespace } from './adapters/served-namespace.ts';
import { argumentRows, type Binding, outcomeOf } from './kv-arguments.ts';

let served: ServedNamespace;

beforeAll(async () => {
  served = await serveNamespace();
});

afterAll(() => served.close());

const rows = argumentRows();

describe('a call with odd arguments', () => {
  it('has a row in the documentation for each kind', () => {
    expect(rows.length).toBeGreaterThan(120);
  });

  it.each(rows)('is over a namespace as the table of arguments says: $call', async ({ call, ours }) => {
    // As its users would write it, past what its types allow.
    const run = new Function('KV', `return ${call}`) as (kv: Binding) => unknown;
    expect(await outcomeOf(served.namespace as Binding, run)).toBe(ours);
  });
});
