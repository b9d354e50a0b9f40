/** Resolves in the next turn of the event loop: what was written until now is on its way by then, and what came was seen. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
