/** A JSON scalar as text, for a number may come as a string; of what is none, only what it is. */
export function scalarText(value: unknown): string {
  return typeof value === 'object' && value !== null ? `[${Array.isArray(value) ? 'array' : 'object'}]` : String(value);
}
