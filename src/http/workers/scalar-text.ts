/** A JSON scalar as text, for a number may come as a string; of what is none, only what it is. */
export function scalarText(value: unknown): string {
  return typeof value === 'object' && value !== null ? `[${Array.isArray(value) ? 'array' : 'object'}]` : String(value);
}

/** The same as JSON, so that `"1"` and `1` look different. */
export function jsonOf(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : scalarText(value);
}
