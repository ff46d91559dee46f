// What every engine is given to do, and how its tokens are timed. The same text
// for all of them: common words, each one token in the vocabularies used here,
// drawn by a seeded generator, so that no two requests share a prefix that a
// cache could reuse. Each engine reports the prompt tokens it counted.

const words = (
  "about after again always another asked because before began being better between both called came come could " +
  "day different does done down early either end enough even every far few find first found four from gave general " +
  "given going good great group half hand hard have head help here high himself home house however important " +
  "into just keep kind know large last later leave left less life light line little long look made make many matter"
).split(" ");

// A 32-bit generator (mulberry32): the next number in [0, 1).
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Request `index`'s prompt: `tokens` tokens, the begin-of-sequence token included.
export function promptText(index, tokens) {
  const random = randomFrom(1 + index);
  const draw = () => words[Math.floor(random() * words.length)];
  return Array.from({ length: tokens - 1 }, draw).join(" ");
}

// One request's clock: when it was handed over and when each token arrived.
export function tokenClock() {
  const submitted = performance.now();
  const arrivals = [];
  return {
    submitted,
    arrivals,
    token(count = 1) {
      const now = performance.now();
      for (let i = 0; i < count; i += 1) arrivals.push(now);
    },
  };
}

// What one run of many requests comes to; times in milliseconds.
export function summarise(clocks, promptTokens) {
  const begin = Math.min(...clocks.map((clock) => clock.submitted));
  const end = Math.max(...clocks.map((clock) => clock.arrivals.at(-1)));
  const gaps = clocks.flatMap(({ arrivals }) => arrivals.slice(1).map((time, at) => time - arrivals[at]));
  return {
    promptTokens,
    generatedTokens: clocks.map(({ arrivals }) => arrivals.length),
    wall: end - begin,
    firstTokens: clocks.map(({ submitted, arrivals }) => arrivals[0] - submitted),
    gaps,
  };
}
