// One abort listener per signal however many generations share it: Node warns
// of a leak at the eleventh listener of an AbortSignal, and a server's shutdown
// signal is shared by all. The listener leaves with the last generation.

interface Fan {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/** The signals one engine listens to. */
export class AbortListeners {
  readonly #fans = new WeakMap<AbortSignal, Fan>();

  /**
   * Calls back once when the signal aborts. The caller has seen that it has not.
   * @returns detaches; to be called once, at the latest when the work has ended
   */
  listen(signal: AbortSignal, callback: () => void): () => void {
    const fan = this.#fans.get(signal) ?? this.#open(signal);
    fan.callbacks.add(callback);
    return () => this.#leave(signal, fan, callback);
  }

  #open(signal: AbortSignal): Fan {
    const callbacks = new Set<() => void>();
    const listener = () => {
      for (const callback of callbacks) callback();
    };
    const fan = { callbacks, listener };
    signal.addEventListener("abort", fan.listener, { once: true });
    this.#fans.set(signal, fan);
    return fan;
  }

  #leave(signal: AbortSignal, fan: Fan, callback: () => void): void {
    fan.callbacks.delete(callback);
    if (fan.callbacks.size > 0) return;
    signal.removeEventListener("abort", fan.listener);
    if (this.#fans.get(signal) === fan) this.#fans.delete(signal);
  }
}
