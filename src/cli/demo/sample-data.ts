import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MeridianError } from '../../model/errors.ts';

/** One namespace of real data. */
export interface SampleNamespace {
  readonly title: string;
  /** What a person is told that it is. */
  readonly about: string;
  readonly entries: ReadonlyMap<string, string>;
}

/** Documents and icons taken, so that the demo starts within seconds. */
const documentsMax = 600;
const iconsMax = 600;

/** @throws UNAVAILABLE where the packages that ship the data are not installed: they are development dependencies */
export function sampleData(): readonly SampleNamespace[] {
  return [routes(), documents(), icons()];
}

/**
 * Which country an IPv4 address belongs to. A key is the address's first half, `1.0`; its value lists the ranges within,
 * `[first, last, country]` by the second half as a number: one get answers any address.
 */
function routes(): SampleNamespace {
  const csv = readFileSync(join(packageFolder('@ip-location-db/asn-country'), 'asn-country-ipv4-num.csv'), 'utf8');
  const halves = new Map<number, string[]>();
  let ranges = 0;
  for (const line of csv.split('\n')) {
    const [first, last, country] = line.split(',');
    if (first === undefined || last === undefined || country === undefined) continue;
    ranges++;
    addRange(halves, Number(first), Number(last), country.trim());
  }
  const entries = new Map([...halves].map(([half, texts]) => [`${half >> 8}.${half & 255}`, `[${texts.join(',')}]`]));
  return { title: 'routes', about: `${ranges} IPv4 ranges by country`, entries };
}

function addRange(halves: Map<number, string[]>, first: number, last: number, country: string): void {
  for (let half = Math.floor(first / 65_536); half <= Math.floor(last / 65_536); half++) {
    const base = half * 65_536;
    const text = `[${Math.max(first - base, 0)},${Math.min(last - base, 65_535)},"${country}"]`;
    const texts = halves.get(half);
    if (texts === undefined) halves.set(half, [text]);
    else texts.push(text);
  }
}

/** The country of an address, given the value of its key; undefined where no range holds it. */
export function countryOf(value: string, address: string): string | undefined {
  const [, , c = 0, d = 0] = address.split('.').map(Number);
  const ranges = JSON.parse(value) as ReadonlyArray<readonly [number, number, string]>;
  return ranges.find(([first, last]) => first <= c * 256 + d && c * 256 + d <= last)?.[2];
}

/** Which browser can do what: a document for each feature. */
function documents(): SampleNamespace {
  const path = join(packageFolder('@mdn/browser-compat-data'), 'data.json');
  const data = JSON.parse(readFileSync(path, 'utf8')) as { readonly api: Readonly<Record<string, unknown>> };
  const entries = Object.entries(data.api)
    .slice(0, documentsMax)
    .map(([name, document]) => [`api/${name}`, JSON.stringify(document)] as const);
  return { title: 'documents', about: 'browser compatibility documents', entries: new Map(entries) };
}

function icons(): SampleNamespace {
  const folder = join(packageFolder('lucide-static'), 'icons');
  const names = readdirSync(folder).filter((name) => name.endsWith('.svg'));
  const entries = names
    .slice(0, iconsMax)
    .map((name) => [`icons/${name}`, readFileSync(join(folder, name), 'utf8')] as const);
  return { title: 'assets', about: 'SVG icons', entries: new Map(entries) };
}

function packageFolder(name: string): string {
  const places = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const found = places.map((place) => join(place, name)).find((folder) => existsSync(folder));
  if (found !== undefined) return found;
  throw new MeridianError(
    'UNAVAILABLE',
    `the demo's data (${name}) are not installed: run it in a checkout, after npm ci`,
    {
      reason: 'no-demo-data',
    },
  );
}
