/** What the promise brings; where it fails, first undoes what was done for it. @throws what the promise fails with */
export async function orUndo<T>(doing: Promise<T>, undo: () => unknown): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    await undo();
    throw error;
  }
}
