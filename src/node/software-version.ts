import { readFileSync } from 'node:fs';

/** The version in this package's manifest, two folders up from the sources and from what is built of them alike. */
export function softwareVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}
