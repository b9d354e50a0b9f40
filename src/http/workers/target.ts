/** A request's path, exactly as it came, and its query. Nothing is normalised: `%2F` and `..` belong to keys. */
export interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
}

export function parseTarget(url: string | undefined): Target {
  const text = url ?? '/';
  const mark = text.indexOf('?');
  return mark < 0
    ? { path: text, query: new URLSearchParams() }
    : { path: text.slice(0, mark), query: new URLSearchParams(text.slice(mark + 1)) };
}
