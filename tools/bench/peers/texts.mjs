// How far a peer's greedy text agrees with ours. Kernels round differently, so that texts of the same
// weights part where the model is nearly undecided. Where they part, the peer's token must be one that ours
// found nearly as likely: another model, tokenizer or prompt would have chosen another.
import { BenchFailure } from "../failure.mjs";

const kRivals = 20; // tokens of a choice that are looked at
const kNearly = 2; // nats: e^2 times less likely. Kernels differ by 0.1 to 0.2 for a token, which adds up

// Our choices after a prompt, until the first special token: { text, rivals }, `text` with the
// token itself, `rivals` the likeliest texts in its place with how much less likely they were (nats).
export async function greedyChoices(model, prompt, tokens, threads) {
  const engine = await model.createEngine({ slots: 1, contextLength: 256, threads });
  try {
    const request = { prompt, maxTokens: tokens, temperature: 0, ignoreEos: true, logProbs: kRivals };
    const { logProbs } = await engine.generate(request);
    return choicesOf(model, logProbs);
  } finally {
    await engine.close();
  }
}

function choicesOf(model, logProbs) {
  const choices = [];
  const before = [];
  for (const { token, logProb, top } of logProbs) {
    const textWith = (last) => model.detokenize([...before, last]).trimStart();
    if (model.detokenize([token]) === "") break;
    const rivals = top.map((each) => ({ text: textWith(each.token), gap: logProb - each.logProb }));
    choices.push({ text: textWith(token), rivals });
    before.push(token);
  }
  if (choices.length === 0) throw new BenchFailure("The first greedy token is a special one.");
  return choices;
}

// { same, of, gap }: tokens that agree, and how much less likely ours found the peer's token where the
// texts part: null where it is none of the likeliest, absent where they do not part.
export function agreementOf(choices, peerText) {
  const text = peerText.trimStart();
  const at = choices.findIndex((choice) => !text.startsWith(choice.text));
  // A text that ended, such as before a special token, has not parted.
  if (at < 0 || choices[at].text.startsWith(text)) {
    return { same: at < 0 ? choices.length : at, of: at < 0 ? choices.length : at };
  }
  const told = choices[at].rivals.filter((rival) => text.startsWith(rival.text));
  const gap = told.length === 0 ? null : Math.min(...told.map((rival) => rival.gap));
  return { same: at, of: choices.length, gap };
}

export const isOther = ({ same, gap, mustAgree }) =>
  mustAgree && ((gap === undefined && same === 0) || gap === null || gap > kNearly);

export function agreementText({ same, of, gap }) {
  if (gap === undefined) return `all ${of} tokens the same`;
  const parting = gap === null ? "by a token we found unlikely" : `at a choice of ${gap.toFixed(2)} nats`;
  return `${same} of ${of} tokens the same, then parting ${parting}`;
}
