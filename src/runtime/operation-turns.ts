/** Operations of one turn: about as much work as one request that comes by itself. */
const turnOperations = 64;

/** Lets a turn begin, at once or later, unless it is over by then: `FairStarts.start`, with who asks. */
export type StartTurn = (run: () => void, isOver: () => boolean) => void;

/**
 * The operations of a stream of many, so many at a turn: whoever sends thousands in one piece takes turns with those who
 * send one.
 */
export class OperationTurns {
  readonly #start: StartTurn;
  readonly #isOver: () => boolean;
  readonly #given: () => void;
  #left = 0;
  #isAsked = false;

  /** `given` is called where a turn that was waited for begins. */
  constructor(start: StartTurn, { isOver, given }: { readonly isOver: () => boolean; readonly given: () => void }) {
    this.#start = start;
    this.#isOver = isOver;
    this.#given = given;
  }

  /** False where the turn is over, and another one has to be waited for. */
  get mayTake(): boolean {
    if (this.#left > 0) return true;
    if (this.#isAsked) return false;
    this.#isAsked = true;
    let isWaiting = false;
    const begin = () => {
      this.#isAsked = false;
      this.#left = turnOperations;
      if (isWaiting) this.#given();
    };
    this.#start(begin, this.#isOver);
    isWaiting = true;
    return this.#left > 0;
  }

  /** One operation of the turn. */
  take(): void {
    this.#left--;
  }
}
