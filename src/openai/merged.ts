// Several streams as one, items in the order in which they come.

/** Pairs of a stream's index and an item. Leaving early leaves all of them. */
export async function* merged<Item>(
  streams: readonly AsyncIterable<Item>[],
): AsyncGenerator<[number, Item], void, undefined> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const ask = (index: number) =>
    iterators[index]?.next().then((result) => ({ index, result })) as Promise<{
      index: number;
      result: IteratorResult<Item>;
    }>;
  const pending = new Map(iterators.map((_, index) => [index, ask(index)]));
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values());
      if (result.done) {
        pending.delete(index);
        continue;
      }
      pending.set(index, ask(index));
      yield [index, result.value];
    }
  } finally {
    for (const asked of pending.values()) asked.catch(() => {}); // one has failed, the others may
    for (const index of pending.keys()) void iterators[index]?.return?.();
  }
}
