import { readFileSync } from 'node:fs';

/** One row of the table of arguments in docs/workers-kv.md. */
export interface ArgumentRow {
  /** An expression over `KV`. */
  readonly call: string;
  /** What comes of it in the real runtime. */
  readonly workers: string;
  /** What comes of it over `namespace()`. */
  readonly ours: string;
}

export function argumentRows(): ArgumentRow[] {
  const page = readFileSync('docs/workers-kv.md', 'utf8');
  const section = page.slice(page.indexOf('## Arguments'), page.indexOf('## Moving data here'));
  return [...section.matchAll(/^\| `(.+?)` \| (.+?) \| (.+?) \|$/gm)].map(([, call = '', workers = '', ours = '']) => ({
    call,
    workers,
    ours: ours === 'the same' ? workers : ours,
  }));
}

/** The part of a namespace that both have. */
export interface Binding {
  get(key: string): Promise<unknown>;
  put(key: string, value: string): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  list(): Promise<{ keys: ReadonlyArray<{ name: string; expiration?: number; metadata?: unknown }> }>;
}

/**
 * What comes of a call: its result, or how it is refused, and what it stored. The namespace begins with five keys. It
 * names nothing outside of itself, as its text runs in a Worker too.
 */
export async function outcomeOf(KV: Binding, run: (kv: Binding) => unknown): Promise<string> {
  const seed: Record<string, string> = { 123: 'n', '[object Object]': 'o', k: 'v', null: 'z', undefined: 'u' };
  const held = async () => {
    const lines: Record<string, string> = {};
    for (const { name, expiration, metadata } of (await KV.list()).keys) {
      const halfMinutes = Math.round(((expiration ?? 0) - Date.now() / 1000) / 30);
      const expires =
        expiration === undefined ? '' : ` for ${halfMinutes < 2_000_000 ? `${halfMinutes * 30} s` : 'long'}`;
      lines[name] =
        `${JSON.stringify(await KV.get(name))}${metadata ? ` with ${JSON.stringify(metadata)}` : ''}${expires}`;
    }
    return lines;
  };
  const before = await held();
  for (const name of Object.keys(before)) if (seed[name] === undefined) await KV.delete(name);
  for (const [name, value] of Object.entries(seed))
    if (before[name] !== JSON.stringify(value)) await KV.put(name, value);
  const plain = (value: unknown): unknown => {
    if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]));
    if (typeof value !== 'object' || value === null) return value;
    if ('keys' in value) return (value.keys as Array<{ name: string }>).map(({ name }) => name).join(' ');
    return 'metadata' in value && 'value' in value ? { value: value.value, metadata: value.metadata } : value;
  };
  let result: string;
  try {
    const value = plain(await run(KV));
    result = value === undefined ? '' : JSON.stringify(value);
  } catch (error) {
    result = error instanceof TypeError ? 'TypeError' : 'refused';
  }
  const after = await held();
  const changes = [...new Set([...Object.keys(seed), ...Object.keys(after)])]
    .filter((name) => after[name] !== (seed[name] === undefined ? undefined : JSON.stringify(seed[name])))
    .map((name) => (after[name] === undefined ? `deletes ${name}` : `stores ${name} = ${after[name]}`));
  return [result, ...changes].filter((part) => part !== '').join(', ') || 'done';
}
