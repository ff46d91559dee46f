// Events of a stream with pings between them, where none comes for a while: what is between a
// client and its server closes connections on which nothing moves.
import type { NamedEvent } from "./named-events.js";

/** @param everyMs milliseconds of silence @param ping not sent before the first event */
export async function* withPings(
  events: AsyncIterable<NamedEvent>,
  everyMs: number,
  ping: NamedEvent = { type: "ping" },
): AsyncGenerator<NamedEvent, void, undefined> {
  const iterator = events[Symbol.asyncIterator]();
  try {
    let next = await iterator.next();
    while (!next.done) {
      yield next.value;
      const coming = iterator.next();
      while (await isSilent(coming, everyMs)) yield ping;
      next = await coming;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Whether nothing came in the time; a failure is something. */
async function isSilent(coming: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), ms).unref();
  });
  const heard = coming.then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([heard, silence]);
  } finally {
    clearTimeout(timer);
  }
}
