import { useEffect, useState } from 'preact/hooks';

/** What is looked at. It stands behind the `#` of the address, which a browser sends to nobody. */
export type Place =
  | { readonly kind: 'overview' }
  | { readonly kind: 'members' }
  | { readonly kind: 'data'; readonly namespace?: string; readonly prefix?: string; readonly key?: string };

export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  if (path === 'members') return { kind: 'members' };
  if (path !== 'data') return { kind: 'overview' };
  const words = new URLSearchParams(query);
  const [namespace, prefix, key] = ['namespace', 'prefix', 'key'].map((name) => words.get(name) ?? undefined);
  return {
    kind: 'data',
    ...(namespace === undefined ? {} : { namespace }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(key === undefined ? {} : { key }),
  };
}

export function dataAddress(words: { readonly namespace?: string; readonly prefix?: string; readonly key?: string }) {
  return `#/data?${new URLSearchParams(words).toString()}`;
}

/** The place of the address, as it changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const onChange = () => setPlace(placeOf(location.hash));
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return place;
}
