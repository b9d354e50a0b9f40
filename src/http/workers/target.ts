import { textIn } from './text-in.ts';

/** A request's path, exactly as it came, and its query. Nothing is normalised: `%2F` and `..` belong to keys. */
export interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
}

const noQuery = new URLSearchParams();
/** What workerd sends with each get. */
const urlencoded = 'urlencoded=true';
const urlencodedQuery = new URLSearchParams(urlencoded);

/** What is parsed is shared: nobody changes it. @throws Refusal where the query escapes what is no UTF-8. (Bytes beyond ASCII that are not escaped never come here.) */
export function parseTarget(url: string | undefined): Target {
  const text = url ?? '/';
  const mark = text.indexOf('?');
  if (mark < 0) return { path: text, query: noQuery };
  const query = text.slice(mark + 1);
  if (query === urlencoded) return { path: text.slice(0, mark), query: urlencodedQuery };
  checkEscapes(query);
  return { path: text.slice(0, mark), query: new URLSearchParams(query) };
}

/** URLSearchParams makes U+FFFD of `%ff`, and another prefix would be listed. A `%` that escapes nothing is itself. */
function checkEscapes(query: string): void {
  for (const field of query.split('&')) {
    const [name = ''] = field.split('=', 1);
    for (const [escapes] of field.matchAll(/(?:%[0-9a-f]{2})+/gi)) {
      textIn(Buffer.from(escapes.replaceAll('%', ''), 'hex'), `${escapes} in the query's ${name}`);
    }
  }
}
