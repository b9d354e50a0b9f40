/** What is said on standard error of a key whose record is damaged, where a command passes it by. */
export function damagedNote(key: string, json: boolean): string {
  if (json) return JSON.stringify({ damaged: key });
  return `the record of ${JSON.stringify(key)} is damaged: whether it has a value is unknown; writing or deleting it heals it`;
}
