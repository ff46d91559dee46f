// A stream whose reader may be slow: what came while it was away is handed over
// at once. The source is always read on, up to a limit.

const aheadItems = 4096;

/** Lists of what has come since the last one; never empty. Leaving early leaves the source. */
export async function* coalesced<Item>(
  source: AsyncIterable<Item>,
): AsyncGenerator<readonly Item[], void, undefined> {
  let waiting: Item[] = [];
  let failure: { readonly thrown: unknown } | undefined;
  let done = false;
  let left = false;
  let wakeReader: () => void = () => {};
  let wakeSource: () => void = () => {};
  const pump = async () => {
    for await (const item of source) {
      waiting.push(item);
      wakeReader();
      if (waiting.length >= aheadItems) {
        await new Promise<void>((resolve) => {
          wakeSource = resolve;
        });
      }
      if (left) return;
    }
  };
  const pumping = pump()
    .catch((thrown: unknown) => {
      failure = { thrown };
    })
    .finally(() => {
      done = true;
      wakeReader();
    });
  try {
    for (;;) {
      if (waiting.length > 0) {
        const items = waiting;
        waiting = [];
        wakeSource();
        yield items;
      } else if (done) {
        if (failure !== undefined) throw failure.thrown;
        return;
      } else {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
    }
  } finally {
    left = true;
    wakeSource();
    void pumping;
  }
}
