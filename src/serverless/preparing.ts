// The preparation of a worker that may be told to leave meanwhile: its signal aborts then,
// and a little time remains for what it has to put in order, such as a half download.
import type { Leaving } from "./leaving.js";

const settlingMs = 500;

/**
 * @param prepare gets a signal that aborts when the worker is told to leave
 * @returns what it returns; true where the worker was told to leave first
 */
export async function unlessLeaving(
  leaving: Pick<Leaving, "asked">,
  prepare: (signal: AbortSignal) => Promise<boolean>,
): Promise<boolean> {
  const stopping = new AbortController();
  const preparation = prepare(stopping.signal);
  const first = await Promise.race([preparation, leaving.asked]);
  if (first !== undefined) return first;
  stopping.abort();
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, settlingMs);
  });
  await Promise.race([preparation, patience]);
  clearTimeout(timer);
  return true;
}
