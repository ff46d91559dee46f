// The traffic that engines are compared under: who asks for what, when. Seeded,
// so that everybody gets the same.
import { promptText, randomFrom } from "./workload.mjs";

const one = (prompt, newTokens, pause = 0) => ({ prompt, newTokens, pause });

// `count` prompts of 64 tokens at once, 32 new tokens each.
export function burst(count) {
  const lanes = Array.from({ length: count }, (_, index) => [one(promptText(index, 64), 32)]);
  return { name: `${count} at once`, slots: count, contextLength: 256, lanes };
}

// `count` prompts of 64 tokens one after the other, 32 new tokens each: one alone ends too soon to be timed.
export function inTurn(count) {
  const lane = Array.from({ length: count }, (_, index) => one(promptText(index, 64), 32));
  return { name: `${count} in turn`, slots: 1, contextLength: 256, lanes: [lane] };
}

// Half of the slots busy, by clients that pause at random before each of their
// requests: prompts of 32 to 96 tokens, 16 to 48 new ones.
export function halfIdle(slots = 32) {
  const random = randomFrom(77);
  const between = (least, most) => least + Math.floor(random() * (most - least + 1));
  const lane = (_, index) =>
    Array.from({ length: 6 }, (__, turn) =>
      one(promptText(1000 + index * 10 + turn, between(32, 96)), between(16, 48), between(0, 120)),
    );
  return {
    name: `${slots / 2} clients on ${slots} slots`,
    slots,
    contextLength: 256,
    lanes: Array.from({ length: slots / 2 }, lane),
  };
}

// 16 at once that share 352 of 384 prompt tokens, 16 new tokens each.
export function sharedPrefix(slots) {
  const system = promptText(500, 352);
  const lanes = Array.from({ length: 16 }, (_, index) => {
    const own = promptText(600 + index, 33);
    return [one(`${system} ${own}`, 16)];
  });
  return { name: `16 of one system prompt on ${slots} slots`, slots, contextLength: 512, lanes };
}

// Four generations run while a fifth brings a prompt of 4,000 tokens.
export function longPrompt() {
  const running = Array.from({ length: 4 }, (_, index) => [one(promptText(700 + index, 64), 400)]);
  const lanes = [...running, [one(promptText(800, 4000), 16, 1500)]];
  return { name: "a prompt of 4,000 tokens beside four running", slots: 8, contextLength: 4352, lanes };
}

// Twelve conversations of four turns at random moments: each turn's prompt is what was
// said before, and 24 new words.
export function conversations(slots) {
  const random = randomFrom(91);
  const lane = (_, index) => {
    const said = [];
    return Array.from({ length: 4 }, (__, turn) => {
      said.push(promptText(2000 + index * 10 + turn, 25));
      return one(said.join(" "), 16, Math.floor(random() * 100));
    });
  };
  return {
    name: `12 conversations on ${slots} slots`,
    slots,
    contextLength: 512,
    lanes: Array.from({ length: 12 }, lane),
  };
}
