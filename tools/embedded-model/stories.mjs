// Tells stories: chooses a cast and a plot (plots.mjs), an opening, a scene and
// an ending, and fills their patterns. A long story sends one hero through
// several plots, so that the model also learns long contexts.

import { castStory } from "./cast.mjs";
import { plots } from "./plots.mjs";
import { fill } from "./random.mjs";

/** @typedef {import('./random.mjs').Random} Random */

const openings = [
  "Once upon a time, there was {a who} named {name}.",
  "Once upon a time, {a who} named {name} lived {athome}.",
  "Long ago, there was {a who} named {name} who lived {athome}.",
  "There once was {a who} named {name}.",
  "{name} was {a who}. {he} lived {athome}.",
  "{name} was {a who} who lived {athome}.",
  "One {weather} {hour}, {a who} named {name} walked {athome}.",
];

const scenes = [
  "It was a {weather} {hour} in {season}.",
  "The [sun|moon] was bright and the sky was [blue|clear].",
  "The wind blew [softly|gently] over the {home}.",
  "{name} loved to [sing|play|read|dance|climb|run|swim] {athome}.",
  "{he} had a friend named {fname}, who was {a fwho}.",
  "Every [morning|evening|day], {he} [walked to the {goal}|looked at the sky|sang a little song].",
  '{his} {elder} always said, "be kind and be brave."',
  "",
];

const endings = [
  "From then on, {name} and {fname} were [good|great|best] friends.",
  "That night, {name} slept well and dreamed of [the {goal}|{animals}|{foods}|the sea].",
  "They laughed and walked home together.",
  "And they lived happily ever after.",
  "{name} never forgot that {hour}.",
  "When the [moon|first star] rose, {name} was safe at home.",
  "Then they sat {atgoal} and shared {a treat}.",
  "{he} learned that [a friend is the best gift|it is good to share|it is good to be kind|small hands can do great things|brave hearts are often quiet].",
  '"This was a wonderful {hour}," said {name}.',
];

const plotNames = /** @type {(keyof typeof plots)[]} */ (Object.keys(plots));

/**
 * @param {Random} random @param {string} [kind] the hero's kind, if asked for
 * @returns {{ text: string, cast: Record<string, string>, plot: string }}
 */
export function tellStory(random, kind) {
  const cast = castStory(random, kind);
  const plot = random.pick(plotNames);
  const middle = plots[plot].filter(() => random.chance(0.93)).map((beat) => random.pick(beat));
  const beats = [
    random.pick(openings),
    random.pick(scenes),
    random.chance(0.4) ? random.pick(scenes) : "",
    ...middle,
    random.pick(endings),
    random.chance(0.35) ? random.pick(endings) : "",
  ];
  const distinct = beats.filter((beat, at) => beat !== "" && beats.indexOf(beat) === at);
  return { text: distinct.map((beat) => fill(beat, cast, random)).join(" "), cast, plot };
}

/** What stays the hero's own from adventure to adventure. */
const ownSlots = ["name", "kind", "trait", "who", "he", "him", "his", "himself", "home", "athome", "elder"];

const laterScenes = [
  "The next day, {name} was {athome} again.",
  "The next morning, the sun was bright.",
  "After that, {name} stayed at home for a while.",
];

/** @param {Random} random @param {Record<string, string>} cast @returns {Record<string, string>} the same hero with a new friend */
function recast(random, cast) {
  const own = Object.fromEntries(ownSlots.map((slot) => [slot, cast[slot]]));
  const again = { ...castStory(random), ...own };
  return again.fname === cast.name ? { ...again, fname: cast.fname } : again;
}

/** @param {Random} random @returns {string} several adventures of one hero, for long contexts */
export function tellLongStory(random) {
  const cast = castStory(random);
  const chosen = random.sample(plotNames, 3 + random.below(4));
  const parts = chosen.map((plot, at) => {
    const opening = random.pick(at === 0 ? openings : laterScenes);
    const beats = plots[plot].filter(() => random.chance(0.9)).map((beat) => random.pick(beat));
    const other = recast(random, cast);
    return [opening, ...beats].map((beat) => fill(beat, at === 0 ? cast : other, random)).join(" ");
  });
  return `${parts.join("\n")} ${fill(random.pick(endings), cast, random)}`;
}
