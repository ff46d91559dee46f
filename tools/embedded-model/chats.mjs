// Conversations with the storyteller, as patterns: what a user asks and what
// the assistant answers, in turns. Facts come from cast.mjs, stories from
// stories.mjs. User turns about unknown things are the only text here that the
// grammar does not judge: people write what they like; the answers stay clean.

import { animalFacts, castStory, nouns, placePhrase, placesWith } from "./cast.mjs";
import { adjectives, article, names, plural } from "./lexicon.mjs";
import {
  animalQuestions,
  farewells,
  greetings,
  recall,
  systems,
  unknownAnswers,
  unknownQuestions,
  unknownThings,
  worldQuestions,
} from "./questions.mjs";
import { fill } from "./random.mjs";
import { tellLongStory, tellStory } from "./stories.mjs";

/** @typedef {import('./random.mjs').Random} Random */
/** @typedef {'system' | 'user' | 'assistant'} Role */
/** @typedef {{ role: Role, text: string, free?: true }} Turn */
/** @typedef {Record<string, string>} Slots */

/** @param {string} user @param {string} assistant @returns {(slots: Slots, random: Random) => Turn[]} */
const exchange = (user, assistant) => (slots, random) => [
  { role: "user", text: loosen(fill(user, slots, random), random), free: true },
  { role: "assistant", text: fill(assistant, slots, random) },
];

/** @param {string} text @param {Random} random @returns {string} now and then typed carelessly */
function loosen(text, random) {
  if (random.chance(0.12)) return text.toLowerCase();
  return random.chance(0.1) ? text.replace(/[.?!]$/, "") : text;
}

/** @param {string} season @returns {string} */
const seasonal = (season) =>
  ({
    spring: "In spring, the flowers grow and the birds build nests.",
    summer: "In summer, the days are long and warm. children swim in the lake.",
    autumn: "In autumn, the leaves are red and golden. the squirrels look for nuts.",
    winter: "In winter, the snow covers the fields. the hedgehogs sleep until spring.",
  })[season] ?? "";

const syllables = "ba co di fu gra hel ix jo kal mer nop quo rin sti tru ump vex wol yar zen".split(" ");

/** @param {Random} random @returns {Turn[]} */
function unknownExchange(random) {
  const word = Array.from({ length: 2 + random.below(2) }, () => random.pick(syllables)).join("");
  const thing = random.chance(0.5) ? word : random.pick(unknownThings);
  const question = random.pick(unknownQuestions).replace("{thing}", thing);
  return [
    { role: "user", text: question, free: true },
    { role: "assistant", text: fill(random.pick(unknownAnswers), chatSlots(random), random) },
  ];
}

/** @param {Random} random @returns {Slots} */
function chatSlots(random) {
  const slots = castStory(random);
  const animal = random.pick(Object.keys(animalFacts));
  const beast = random.pick(nouns.animal.filter((other) => other !== animal));
  const place = random.pick(placesWith.in);
  const [lives, eats, can] = animalFacts[/** @type {keyof typeof animalFacts} */ (animal)];
  const other = random.pick(["fly", "swim", "climb", "sing"].filter((skill) => skill !== can));
  return {
    ...slots,
    animal,
    beast,
    lives,
    eats,
    can,
    other,
    place,
    animals: plural(animal),
    beasts: plural(beast),
    quality: random.pick(adjectives.character),
    athere: placePhrase(place),
    seasonal: seasonal(slots.season),
    part: random.pick(["morning", "evening", "afternoon"]),
    verdict: `No, ${article(animal)} ${animal} can not ${other}, but it can ${can}.`,
  };
}

/** @param {Random} random @returns {Turn[]} */
function storyRequest(random) {
  if (random.chance(0.04)) {
    return exchange("[tell me a long story.|please tell me a long story.|write a long story.]", "{story}")(
      { story: tellLongStory(random) },
      random,
    );
  }
  const kind = random.pick(nouns.animal);
  const asked = random.chance(0.75) ? kind : undefined;
  const { text, cast } = tellStory(random, asked);
  const question = asked
    ? "[tell me a story about {a kind}.|write a short story about {a kind}.|a story about {a kind}, please!|please tell me a story about {a kind}.|can you tell me a story about {a kind}?|I want to hear a story about {a kind}.|tell me about {a who} named {name}.|tell me a story about {name}, {a who}.]"
    : "[tell me a story.|once upon a time|write a little story.|tell me a short story.|please tell me a story.|can you tell me a story?|I want to hear a story.|tell me another story.|do you know a story?]";
  return [
    ...exchange(question, "{story}")({ ...cast, story: text }, random),
    ...followUp(random, cast, text),
  ];
}

/** @param {Random} random @param {Slots} cast @param {string} story @returns {Turn[]} */
function followUp(random, cast, story) {
  const questions = [
    ["[who is {name}?|who was {name}?]", "{name} [is|was] {a who}."],
    [
      "[what is the name of the {kind}?|who is the hero of the story?]",
      "[the name of the hero is {name}.|the hero is {name}, {a who}.]",
    ],
    ...(story.includes(`${cast.fname}, `) ? [["who is {fname}?", "{fname} is {a fwho}."]] : []),
    ["is {name} {a kind}?", "Yes, {name} is {a who}."],
  ];
  if (random.chance(0.5)) return [];
  const [user, assistant] = random.pick(questions);
  return exchange(user, assistant)(cast, random);
}

/** @param {Random} random @returns {Turn[]} a system turn that gives another name, and its proof */
function renamed(random) {
  const slots = {
    ...chatSlots(random),
    self: random.pick([...names.she, ...names.he]),
    nature: random.pick(adjectives.character),
  };
  const told = {
    role: /** @type {Role} */ ("system"),
    text: fill("you are {self}, {a nature} {animal}.", slots, random),
  };
  const proof = exchange(
    "[who are you?|hello! who are you?|what is your name?]",
    "[I am {self}, {a nature} {animal}.|my name is {self}. I am {a nature} {animal}.]",
  );
  return [told, ...proof(slots, random)];
}

/** @param {Random} random @returns {Turn[]} one exchange of some kind */
function anyExchange(random) {
  const slots = chatSlots(random);
  const kind = random.next();
  if (kind < 0.3) return storyRequest(random);
  if (kind < 0.38) return unknownExchange(random);
  if (kind < 0.48) {
    return random.pick(recall).flatMap(([user, assistant]) => exchange(user, assistant)(slots, random));
  }
  const [user, assistant] = random.pick(
    kind < 0.7 ? animalQuestions : kind < 0.9 ? worldQuestions : greetings,
  );
  return exchange(user, assistant)(slots, random);
}

/** @param {Random} random @param {number} [most] exchanges @returns {Turn[]} a whole conversation */
export function converse(random, most = 4) {
  if (random.chance(0.06)) return [...renamed(random), ...anyExchange(random)];
  const system = random.chance(0.25)
    ? [{ role: /** @type {Role} */ ("system"), text: fill(random.pick(systems), {}, random) }]
    : [];
  const say = (/** @type {string[][]} */ pairs) => {
    const [user, assistant] = random.pick(pairs);
    return exchange(user, assistant)(chatSlots(random), random);
  };
  const middle = Array.from({ length: 1 + random.below(most) }, () => anyExchange(random)).flat();
  return [
    ...system,
    ...(random.chance(0.4) ? say(greetings) : []),
    ...middle,
    ...(random.chance(0.25) ? say(farewells) : []),
  ];
}
