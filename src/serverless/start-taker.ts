// Who gets the options of serverless.start() instead of a worker: `infernode serve FILE`
// imports programs that call it. The place is one of the whole process, since a program may
// have a copy of this package of its own.
import type { StartOptions } from "./contract.js";

type Taker = (options: StartOptions) => void;

const place = Symbol.for("infernode.serverless.start");
const shared = globalThis as { [place]?: Taker | undefined };

/** From now on calls of serverless.start() start nothing. The last taker counts. */
export function takeStarts(taker: Taker): void {
  shared[place] = taker;
}

/** Undefined: a call starts a worker. */
export function takerOfStarts(): Taker | undefined {
  return shared[place];
}
