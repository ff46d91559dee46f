// Keeps the process alive while somebody waits for an engine, and only then. A
// generation that nobody reads, or an engine left open, lets the process exit.
// A reader that comes back at once must not cost two calls into the addon per
// token: letting go is decided one turn of the event loop later.
import type { NativeEngine } from "../native.js";

/** Counts those who wait for one engine. */
export class KeepAlive {
  readonly #native: Pick<NativeEngine, "ref">;
  #waiting = 0;
  #held = false;
  #deciding = false;

  constructor(native: Pick<NativeEngine, "ref">) {
    this.#native = native;
  }

  /** Somebody begins to wait; paired with release(). */
  hold(): void {
    this.#waiting += 1;
    if (this.#held) return;
    this.#held = true;
    this.#native.ref(true);
  }

  /** Somebody stopped waiting. */
  release(): void {
    this.#waiting -= 1;
    if (this.#waiting > 0 || this.#deciding) return;
    this.#deciding = true;
    setImmediate(() => {
      this.#deciding = false;
      if (this.#waiting > 0) return;
      this.#held = false;
      this.#native.ref(false);
    });
  }
}
