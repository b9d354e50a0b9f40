/** Slots at the least; a larger array that is empty again goes back to them. A power of two. */
const slotsMin = 2048;

/**
 * What was asked and is not answered yet, by a number that grows. A Map would do, but for V8's collector: the table of
 * a Map whose entries come and go is replaced again and again, and each table refers to the next one. Once one of them
 * has become old, all later ones, and whatever they held, stay until the next full collection: half of a client's time
 * went into copying them. So operations stand in an array here, each at its number modulo the array's length, and a
 * number whose place is taken is skipped.
 */
export class OpenOperations<T extends { readonly id: number }> {
  #slots: Array<T | undefined> = new Array(slotsMin).fill(undefined);
  #lastId = 0;
  #size = 0;

  /** A number that no open operation has, greater than all before. The operation made with it must be added. */
  nextId(): number {
    if (this.#size * 2 >= this.#slots.length) this.#resize(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    do this.#lastId++;
    while (this.#slots[this.#lastId & mask] !== undefined);
    return this.#lastId;
  }

  add(operation: T): void {
    this.#slots[operation.id & (this.#slots.length - 1)] = operation;
    this.#size++;
  }

  get(id: number): T | undefined {
    const found = this.#slots[id & (this.#slots.length - 1)];
    return found?.id === id ? found : undefined;
  }

  delete({ id }: T): void {
    this.#slots[id & (this.#slots.length - 1)] = undefined;
    this.#size--;
    if (this.#size === 0 && this.#slots.length > slotsMin) this.#slots = new Array(slotsMin).fill(undefined);
  }

  /** Those of which that is true, in the order in which they were added. All are looked at, and only these are sorted. */
  those(isMeant: (operation: T) => boolean): T[] {
    const found: T[] = [];
    for (const each of this.#slots) if (each !== undefined && isMeant(each)) found.push(each);
    return found.sort((a, b) => a.id - b.id);
  }

  /** Numbers that differ modulo the old length differ modulo twice that. */
  #resize(length: number): void {
    const before = this.#slots;
    this.#slots = new Array(length).fill(undefined);
    for (const each of before) if (each !== undefined) this.#slots[each.id & (length - 1)] = each;
  }
}
