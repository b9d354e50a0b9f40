/** Throws where an impossible state is met: a defect of Meridian, never of its input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** The end of an exhaustive switch: a new member of the union does not compile until each switch knows it. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`);
}
