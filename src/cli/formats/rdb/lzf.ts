/**
 * What LibLZF compressed, as Redis does with strings of more than 20 bytes: runs of literal bytes, and references to what
 * stands before. Undefined where it is not sound, or not of that length.
 */
export function unpackLzf(packed: Uint8Array, length: number): Uint8Array | undefined {
  const out = new Uint8Array(length);
  let [from, to] = [0, 0];
  const next = () => packed[from++] ?? 0;
  while (from < packed.length) {
    const control = next();
    if (control < 32) {
      const run = packed.subarray(from, from + control + 1);
      if (run.length <= control || to + run.length > length) return undefined;
      out.set(run, to);
      from += run.length;
      to += run.length;
      continue;
    }
    const count = (control >> 5 === 7 ? 7 + next() : control >> 5) + 2;
    let reference = to - ((control & 0x1f) << 8) - next() - 1;
    if (from > packed.length || reference < 0 || to + count > length) return undefined;
    // Byte by byte: what is referred to may be what is just being written.
    for (let left = count; left > 0; left--) out[to++] = out[reference++] ?? 0;
  }
  return to === length ? out : undefined;
}
