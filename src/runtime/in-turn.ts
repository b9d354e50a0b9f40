/** Runs one after the other, in the order of asking; what fails keeps nothing back that comes later. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** @throws what `run` throws */
  run<T>(run: () => Promise<T>): Promise<T> {
    const running = this.#last.then(run);
    this.#last = running.catch(() => {});
    return running;
  }
}
