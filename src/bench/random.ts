// Seeded random numbers: the same seed gives the same prompts, lengths and arrivals on every
// machine, which Math.random() does not. One generator belongs to one sequence of draws.
import { createHash } from "node:crypto";

const twoTo32 = 2 ** 32;

/** Draws from a seed; the generator is Chris Doty-Humphrey's sfc32. */
export class Random {
  readonly #state: Uint32Array;

  /** @param seed any text, such as "7/prompts/2" */
  constructor(seed: string) {
    const digest = createHash("sha256").update(seed).digest();
    this.#state = new Uint32Array([0, 4, 8, 12].map((at) => digest.readUInt32LE(at)));
  }

  /** A number above 0 and below 1. */
  uniform(): number {
    const high = this.#next();
    const low = this.#next() >>> 11; // 21 bits: 53 with the others, what a double holds
    return (high * 2 ** 21 + low + 0.5) / 2 ** 53;
  }

  /** An integer from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.uniform() * (most - least + 1));
  }

  /** A draw of the normal distribution of mean 0 and deviation 1, by Box and Muller. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** A draw of the gamma distribution of scale 1, by Marsaglia and Tsang (2000). */
  gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * this.uniform() ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  #next(): number {
    const [a = 0, b = 0, c = 0, counter = 0] = this.#state;
    const sum = (a + b + counter) % twoTo32;
    this.#state.set([b ^ (b >>> 9), c + (c << 3), ((c << 21) | (c >>> 11)) + sum, counter + 1]);
    return sum;
  }
}
