// Notices that the process did not run for a while: stopped, or frozen in a
// snapshot and thawed elsewhere. Sockets are then dead and polls hang. Looks at
// the wall clock, since a snapshot freezes the monotonic one.

const tickMs = 1000;
const gapMs = 5000;

/** @returns stops watching */
export function watchForFreeze(onThaw: (missedMs: number) => void, now: () => number = Date.now): () => void {
  let last = now();
  const timer = setInterval(() => {
    const missed = now() - last - tickMs;
    last = now();
    if (missed > gapMs || missed < -gapMs) onThaw(missed);
  }, tickMs);
  timer.unref();
  return () => clearInterval(timer);
}
