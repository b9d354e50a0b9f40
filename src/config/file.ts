import { readFileSync } from 'node:fs';
import type { Tags } from 'yaml';
import { MeridianError } from '../model/errors.ts';
import { strictText } from '../model/text.ts';

/**
 * The keys of a YAML configuration file; an empty file has none.
 * @throws INVALID_ARGUMENT where it cannot be read, is no YAML, or is not a mapping
 */
export async function readConfigFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  // Few commands are given a file, and reading YAML takes a program of its own to load.
  const { parse } = await import('yaml');
  const content = reading(
    path,
    () => parse(strictText(readFileSync(path), 'it'), { customTags: asWritten }) as unknown,
  );
  if (content === null || content === undefined) return {};
  if (typeof content === 'object' && !Array.isArray(content)) return content as Record<string, unknown>;
  throw unusable(path, 'it must be a mapping of option names to values');
}

/** A number stays the text that it is: 007 is another title than 7, and a token of twenty digits would lose some. */
function asWritten(tags: Tags): Tags {
  return tags.filter((tag) => typeof tag === 'string' || !/:(int|float)$/.test(tag.tag));
}

function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unusable(path, error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), error);
  }
}

function unusable(path: string, why: string, cause?: unknown): MeridianError {
  return new MeridianError('INVALID_ARGUMENT', `the configuration file ${path} cannot be used: ${why}`, {
    reason: 'bad-config-file',
    cause,
  });
}
