import type { IncomingMessage } from 'node:http';

/** The path that a request names, as it came: nothing is unescaped. */
export function pathOf({ url = '/' }: Pick<IncomingMessage, 'url'>): string {
  return url.split('?', 1)[0] ?? '/';
}
