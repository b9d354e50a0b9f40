/**
 * The same items, the next of which is fetched, on another thread, while the current one is worked on; at most one waits
 * to be taken. It begins with the second item, since many a reader wants no more than the first.
 *
 * @param ended called when nothing more is wanted, and before what is still being fetched is waited for
 */
export async function* readAhead<T>(
  source: AsyncGenerator<T, void>,
  ended: () => void = () => {},
): AsyncGenerator<T, void> {
  try {
    const first = await source.next();
    if (first.done === true) return;
    yield first.value;
    let next = source.next();
    for (;;) {
      const { done, value } = await next;
      if (done === true) return;
      next = source.next();
      next.catch(() => {}); // Thrown where it is awaited, if ever it is.
      yield value;
    }
  } finally {
    ended();
    await source.return();
  }
}
