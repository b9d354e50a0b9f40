/**
 * Which names came up lately, in a fixed space. Each name leaves a mark at the place that its hash gives, until another
 * name takes the place. So a name is known until about as many others have come as there are places; and of strangers
 * about one in ten thousand is taken for known.
 */
export class SeenLately {
  readonly #marks: Uint32Array;

  /** At least this many places, of four bytes each. */
  constructor(names: number) {
    this.#marks = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(1, names))));
  }

  /** True if the name came before, lately. From now on it counts as having come. */
  note(name: string): boolean {
    const mark = hashOf(name);
    const place = mark & (this.#marks.length - 1);
    if (this.#marks[place] === mark) return true;
    this.#marks[place] = mark;
    return false;
  }
}

/** FNV-1a over the UTF-16 units; never 0, which is no mark. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash >>> 0 || 1;
}
