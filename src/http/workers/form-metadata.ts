type Field = string | Field[] | Map<string, Field>;

/**
 * Metadata as a form has them: the field `metadata`, JSON text; or, where the vendor's SDK was given an object, a field
 * for each leaf: `metadata[type]`, `metadata[tags][]`. Such leaves are texts, as the form does not tell what they were.
 */
export async function metadataOfForm(form: FormData): Promise<string | undefined> {
  const whole = form.get('metadata');
  if (whole !== null) return typeof whole === 'string' ? whole : whole.text();
  const root = new Map<string, Field>();
  for (const [name, value] of form) {
    // Deeper ones would be longer than metadata may be.
    const path = /^metadata((?:\[[^\]]*\]){1,500})$/.exec(name)?.[1];
    if (path !== undefined && typeof value === 'string') place(root, path.slice(1, -1).split(']['), value);
  }
  return root.size === 0 ? undefined : JSON.stringify(plain(root));
}

/** An empty step means one more element of an array. */
function place(at: Map<string, Field> | Field[], [step = '', ...rest]: readonly string[], value: string): void {
  const held = at instanceof Map ? at.get(step) : undefined;
  const next = rest.length === 0 ? value : inner(held, rest[0] === '');
  if (at instanceof Map) at.set(step, next);
  else at.push(next);
  if (typeof next !== 'string') place(next, rest, value);
}

function inner(held: Field | undefined, ofArray: boolean): Map<string, Field> | Field[] {
  if (held instanceof Map || Array.isArray(held)) return held;
  return ofArray ? [] : new Map();
}

function plain(field: Field): unknown {
  if (typeof field === 'string') return field;
  if (Array.isArray(field)) return field.map(plain);
  return Object.fromEntries([...field].map(([name, value]) => [name, plain(value)]));
}
