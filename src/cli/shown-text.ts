/** One line, whatever the text: control characters, which would move a terminal's cursor, stand as JSON has them. */
export function shownText(text: string): string {
  return /\p{Cc}|[\u2028\u2029]/u.test(text) ? JSON.stringify(text) : text;
}
