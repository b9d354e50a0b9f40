/** One line, whatever the text: control characters, which would move a terminal's cursor, stand as JSON has them. */
export function shownText(text: string): string {
  return /\p{Cc}|[\u2028\u2029]/u.test(text) ? JSON.stringify(text) : text;
}

/** The same of what may be a URL: without its user and password, since whoever keeps what a command says may be anybody. */
export function shownUrl(text: string): string {
  return shownText(text.replace(/^([a-z][a-z0-9+.-]*:\/\/).*@/is, '$1[hidden]@'));
}
