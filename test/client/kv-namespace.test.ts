import type { KVNamespace, ReadableStream as WorkersStream } from '@cloudflare/workers-types';
import { expectTypeOf, test } from 'vitest';
import type { Namespace } from '../../src/client/namespace.ts';

// The assertions are made by the type checker (`tsc -p test`); a runtime assertion could not see a type.

test('a namespace is assignable to the binding of Workers KV', () => {
  expectTypeOf<Namespace>().toExtend<KVNamespace>();
  expectTypeOf<Namespace['put']>().toBeCallableWith('k', {} as WorkersStream, { expirationTtl: 60 });
});

test('code written for the binding compiles over a namespace', () => {
  const worker = async (kv: KVNamespace) => {
    const text: string | null = await kv.get('k');
    const several: Map<string, string | null> = await kv.get(['a', 'b']);
    const { metadata } = await kv.getWithMetadata<{ by: string }>('k');
    const stream: WorkersStream | null = await kv.get('k', 'stream');
    return { text, several, by: metadata?.by, stream };
  };
  const run = (namespace: Namespace) => worker(namespace);
  expectTypeOf(run).toBeFunction();
});
