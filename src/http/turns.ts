// Work that many requests begin at once, one a turn of the event loop: between them others are read from and
// written to. Five hundred requests that came together would hold it for as long as all of them take.

export class Turns {
  readonly #waiting: (() => void)[] = [];
  #isTaken = false;

  /** Resolves at once where nothing else has begun in this turn, else in a later one, in the order of the calls. */
  async next(): Promise<void> {
    if (this.#isTaken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#isTaken = true;
    setImmediate(this.#advance);
  }

  readonly #advance = (): void => {
    const begin = this.#waiting.shift();
    if (begin === undefined) {
      this.#isTaken = false;
      return;
    }
    begin();
    setImmediate(this.#advance);
  };
}
