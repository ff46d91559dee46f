// Who and what a story is about: chooses hero, friend, things, places, weather
// and turns them into the slots that the story and chat patterns name. All
// meaning lives here; the grammar of the words is the lexicon's affair.

import { adjectives, names, nouns as nounEntries, numberForms, plural } from "./lexicon.mjs";

/** @typedef {import('./random.mjs').Random} Random */

const singulars = (/** @type {readonly string[]} */ entries) => entries.map((entry) => numberForms(entry)[0]);

/** The nouns by meaning, singular. */
export const nouns = {
  animal: singulars(nounEntries.animal),
  worker: nounEntries.worker,
  thing: singulars(nounEntries.thing),
  food: nounEntries.food,
};

/** Place -> the preposition that says "being there". */
export const placesWith = {
  in: [
    "forest",
    "garden",
    "meadow",
    "village",
    "barn",
    "cave",
    "kitchen",
    "tower",
    "castle",
    "field",
    "attic",
    "library",
    "valley",
  ],
  on: ["hill", "mountain", "beach", "island", "bridge", "farm", "path"],
  by: ["river", "lake", "sea", "pond", "mill", "market", "school"],
};
const outdoors = [
  "forest",
  "garden",
  "meadow",
  "valley",
  "hill",
  "mountain",
  "beach",
  "river",
  "lake",
  "sea",
  "pond",
  "field",
];

/** Animal -> where it lives, what it eats, what it can do. */
export const animalFacts = {
  fox: ["in the forest", "berries", "run"],
  bear: ["in a cave", "honey", "climb"],
  rabbit: ["in the meadow", "carrots", "hop"],
  mouse: ["in a small hole", "cheese", "hide"],
  owl: ["in an old tree", "mice", "fly"],
  cat: ["in the house", "fish", "jump"],
  dog: ["on the farm", "bread", "run"],
  frog: ["by the pond", "bees", "jump"],
  duck: ["on the lake", "grass", "swim"],
  hedgehog: ["in the garden", "apples", "sleep"],
  squirrel: ["in a tall tree", "nuts", "climb"],
  turtle: ["by the river", "plants", "swim"],
  goat: ["on the mountain", "grass", "climb"],
  horse: ["in the barn", "apples", "run"],
  bird: ["in a nest", "seeds", "fly"],
  bee: ["in the garden", "honey", "fly"],
  dragon: ["in a dark cave", "cake", "fly"],
  elephant: ["in the valley", "leaves", "walk"],
  otter: ["by the river", "fish", "swim"],
  badger: ["in a deep hole", "berries", "hide"],
  snail: ["under a leaf", "leaves", "hide"],
  crow: ["in the field", "nuts", "fly"],
  goose: ["by the pond", "grass", "swim"],
};

/** @param {string} place @returns {string} such as "on the hill" */
export function placePhrase(place) {
  const found = Object.entries(placesWith).find(([, places]) => places.includes(place));
  return `${found ? found[0] : "in"} the ${place}`;
}

/**
 * @param {Random} random @param {string} prefix slot names begin with it
 * @param {readonly string[]} taken names in use @param {string} [kind]
 * @returns {Record<string, string>}
 */
function character(random, prefix, taken, kind = random.chance(0.6) ? random.pick(nouns.animal) : "child") {
  const she = random.chance(0.5);
  const name = random.pick((she ? names.she : names.he).filter((known) => !taken.includes(known)));
  const shown = kind === "child" ? (she ? "girl" : "boy") : kind;
  const trait = random.pick([...adjectives.character, "little", "little", "little", "young", "small"]);
  return {
    [`${prefix}name`]: name,
    [`${prefix}kind`]: shown,
    [`${prefix}trait`]: trait,
    [`${prefix}who`]: `${trait} ${shown}`,
    [`${prefix}he`]: she ? "she" : "he",
    [`${prefix}him`]: she ? "her" : "him",
    [`${prefix}his`]: she ? "her" : "his",
    [`${prefix}himself`]: she ? "herself" : "himself",
  };
}

/** @param {Random} random @returns {Record<string, string>} */
function thingSlots(random) {
  const [thing, gift] = random.sample(nouns.thing, 2);
  const look = random.pick([...adjectives.look, "old", "small", "shiny", "beautiful", "new", "magic"]);
  const [food, treat] = random.sample(nouns.food, 2);
  return {
    thing,
    gift,
    look,
    food,
    treat,
    lovely: `${look} ${thing}`,
    present: `${random.pick(adjectives.look)} ${gift}`,
    foods: plural(food),
    treats: plural(treat),
    color: random.pick(adjectives.look),
  };
}

/** @param {Random} random @returns {Record<string, string>} */
function settingSlots(random) {
  const [home, goal, far] = random.sample(outdoors, 3);
  const animal = random.pick(nouns.animal);
  return {
    home,
    goal,
    far,
    animal,
    athome: placePhrase(home),
    atgoal: placePhrase(goal),
    atfar: placePhrase(far),
    animals: plural(animal),
    weather: random.pick(["sunny", "rainy", "windy", "snowy", "foggy", "cloudy", "cold", "warm"]),
    hour: random.pick(["morning", "afternoon", "evening", "day"]),
    season: random.pick(["spring", "summer", "autumn", "winter"]),
    number: random.pick(["two", "three", "four", "five"]),
    worker: random.pick(nouns.worker),
    elder: random.pick(["mother", "father", "grandmother", "grandfather", "sister", "brother"]),
  };
}

/**
 * @param {Random} random @param {string} [kind] the hero's kind, if somebody asked for one
 * @returns {Record<string, string>} every slot a story pattern may name
 */
export function castStory(random, kind) {
  const hero = character(random, "", [], kind);
  const friend = character(random, "f", [hero.name]);
  return { ...hero, ...friend, ...settingSlots(random), ...thingSlots(random) };
}
