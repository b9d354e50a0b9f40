import { register } from 'node:module';
import type { Edit } from './rule-taken-out.ts';

interface LoadContext {
  readonly format?: string | null;
}

interface Loaded {
  readonly format: string;
  readonly source?: string | ArrayBuffer | Uint8Array;
  readonly shortCircuit?: boolean;
}

let edits: readonly Edit[] = [];

/** Modules that are loaded from now on are edited. They are looked at in a thread of their own, as Node has it. */
export function editModules(wanted: readonly Edit[]): void {
  register(import.meta.url, { data: wanted });
}

/** Called by Node in that thread. */
export function initialize(wanted: readonly Edit[]): void {
  edits = wanted;
}

/** Called by Node for each module. An edit whose place is not found is an error: the rule has moved. */
export async function load(
  url: string,
  context: LoadContext,
  next: (url: string, context: LoadContext) => Promise<Loaded>,
): Promise<Loaded> {
  const loaded = await next(url, context);
  const mine = edits.filter(({ file }) => url.endsWith(`/src/${file}.js`));
  if (mine.length === 0 || loaded.source === undefined) return loaded;
  let source = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
  for (const { file, from, to } of mine) {
    const parts = source.split(from);
    if (parts.length !== 2) {
      throw new Error(
        `src/${file}: "${from}" stands there ${parts.length - 1} times: mend the edit that takes the rule out`,
      );
    }
    source = parts.join(to);
  }
  return { ...loaded, source };
}
