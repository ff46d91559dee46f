// Tells those who wait that something has changed. Each waiter is woken once, by
// the next change, and then looks for itself.

export class Changes {
  readonly #waiting = new Set<() => void>();

  notify(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** Resolves at the next change, after the time, or when a signal aborts; never rejects. */
  next(milliseconds?: number, ...signals: readonly AbortSignal[]): Promise<void> {
    return new Promise((resolve) => {
      if (signals.some((signal) => signal.aborted)) return resolve();
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        for (const signal of signals) signal.removeEventListener("abort", wake);
        resolve();
      };
      const timer = milliseconds === undefined ? undefined : setTimeout(wake, milliseconds);
      for (const signal of signals) signal.addEventListener("abort", wake, { once: true });
      this.#waiting.add(wake);
    });
  }
}
