// The words of the embedded model's little world, as data: every noun, verb,
// adjective and name that the stories and chats may use. The generator draws
// from the classes here; the parser looks surface forms up in the index below.
// Spelling rules (plurals, tenses, a/an) live here and nowhere else.

/** @typedef {{ base: string, frames: string, forms: Record<string, string> }} Verb */

const words = (/** @type {string} */ text) => text.trim().split(/\s+/);

export const names = {
  she: words("Mia Lily Anna Rosa Nora Ella Ivy Zoe Clara Luna Poppy Daisy"),
  he: words("Tom Ben Max Leo Sam Finn Hugo Otto Jack Oscar Pip Rusty"),
};

/** Nouns by meaning; "mouse/mice" gives an irregular plural. */
export const nouns = {
  animal: words(`fox bear rabbit mouse/mice owl cat dog frog duck hedgehog squirrel
    turtle goat horse bird bee dragon elephant otter badger snail crow goose/geese`),
  child: words("girl boy"),
  worker: words("farmer baker sailor gardener teacher king queen wizard"),
  family: words("mother father sister brother grandmother grandfather friend neighbor"),
  thing: words(`kite ball hat book lantern key boat basket bell box map drum flute coat
    scarf/scarves cup umbrella shell stone coin feather ring letter candle blanket doll
    wagon ladder rope bucket spoon button clock mirror`),
  place: words(`forest garden river lake meadow hill mountain village house barn cave beach
    sea island bridge market school kitchen tower castle farm field pond mill road path
    tree attic library valley`),
  food: words("cake pie apple berry nut carrot cookie pear plum mushroom egg acorn"),
  nature: words(`sun moon star cloud wind storm rainbow leaf/leaves flower rose sky light
    shadow fire seed branch hole nest wave`),
  time: words(`day morning evening afternoon night winter summer spring autumn year hour
    minute birthday`),
  idea: words(`story song secret wish surprise game race noise idea plan party dream
    question answer name word adventure gift way door window room bed table roof thing
    place animal person/people child/children hero model computer storyteller world lamp
    toy bit line voice heart eye hand foot/feet wing color town plant sentence lesson
    picture tool home kind end top smile tail
    one time ground corner middle side assistant`),
};

export const massNouns = words(`bread soup honey cheese milk jam tea water grass rain snow
  ice music help fun wood paper sand cake home school bed night summer winter spring autumn
  breakfast dinner time fish light love joy magic`);

export const adjectives = {
  look: words(`red blue green yellow white black brown orange purple golden silver`),
  size: words("little small big tiny long round heavy"),
  state: words("old new shiny beautiful lovely funny strange magic soft broken empty"),
  character: words("kind brave clever shy gentle curious proud wise friendly lazy honest quiet"),
  feeling: words(`happy sad tired hungry cold lonely sleepy thirsty worried excited
    surprised angry afraid glad sorry ready`),
  other: words(`young warm wet lost loud tall deep dark bright sweet fresh safe quick slow
    strong sunny rainy windy snowy foggy cloudy clear good great whole own last first other
    full special important dry hot different busy true favorite high next easy hard bad
    best wonderful careful free sure late early same fine nice gone right welcome helpful short`),
};

/**
 * Verbs: "base frames [past [participle]]", regular forms left out.
 * i intransitive, t transitive, d two objects, a adjective, o "to" + verb,
 * T object + "to" + verb, B object + bare verb, g -ing, s object + -ing,
 * h that-clause, w question clause, q speech.
 */
export const verbs = `
  walk:i run:i:ran:run go:i:went:gone come:ia:came:come hop:i:hopped fly:it:flew:flown
  swim:i:swam:swum climb:it sit:i:sat stand:i:stood sleep:i:slept live:i play:it
  sing:it:sang:sung dance:i laugh:iq smile:i cry:iq wait:i rest:i listen:i look:ia
  shine:i:shone fall:i:fell:fallen blow:it:blew:blown rain:i snow:i grow:it:grew:grown
  hide:it:hid:hidden work:i travel:i jump:i wake:it:woke:woken arrive:i stay:ia
  happen:i talk:i wave:i rise:i:rose:risen float:i shout:iq whisper:tiq wonder:iwq
  nod:i:nodded hurry:i return:it begin:ito:began:begun end:i start:itog stop:itg:stopped
  find:td:found see:ts:saw:seen hear:tsh:heard take:t:took:taken bring:td:brought
  carry:t hold:t:held open:t close:t eat:it:ate:eaten drink:it:drank:drunk
  make:tBd:made bake:td build:t:built paint:t fix:t wash:t fill:t cook:t share:it
  give:td:gave:given show:td:showed:shown tell:tdTh:told ask:tTiqw help:itTB
  thank:t visit:t follow:t meet:t:met catch:t:caught lose:t:lost pick:t pull:it push:t
  throw:t:threw:thrown keep:tag:kept leave:it:left love:tgo like:tgo want:toT need:to
  try:tio hope:ioh know:tihw:knew:known think:ih:thought remember:tigohw forget:to:forgot:forgotten
  learn:toiwh teach:tTd:taught read:tid:read write:td:wrote:written draw:t:drew:drawn
  feel:ta:felt become:ta:became:become get:tad:got seem:a smell:ta taste:ta turn:ia
  say:thq:said answer:itq call:tdq reply:iq decide:o agree:io promise:tohd
  dream:ih hug:t:hugged save:t touch:t wear:t:wore:worn lift:t plant:t chase:t
  win:it:won lead:t:led warm:t fear:t watch:its cover:t put:t:put cut:t:cut enjoy:tg
  understand:tihw:understood search:i let:B:let buy:td:bought knock:i tie:t mean:th:meant
  guess:itw believe:th care:i protect:t use:t guide:t gather:t collect:t melt:it count:it
  study:it sail:it roll:it cheer:i row:it have:t:had do:t:did:done worry:i clean:t hurt:it:hurt practice:it`;

export const adverbs = words(`quickly slowly softly happily quietly gently carefully again
  together home away outside inside there here soon then now too today tonight tomorrow
  always never often once everywhere suddenly finally loudly bravely proudly sadly kindly
  back down up still alone far nearby later almost well only just even also first
  forever high deep long yesterday sometimes around over out off instead already yet
  at_last at_once of_course very_much for_a_while a_little all_day all_night as_well
  every_day every_night every_morning in_the_end right_away one_by_one side_by_side
  from_then_on a_lot for_a_long_time ever_after hand_in_hand that_day that_night that_evening
  that_morning one_day one_morning one_evening one_night one_afternoon all_alone each_day
  once_upon_a_time long_ago far_away the_next_day the_next_morning just_then after_that
  this_morning last_night last_summer last_winter every_evening all_morning so_much no_longer
  next_time all_the_time hard all_evening all_afternoon more up_and_down fast all_summer`);

export const prepositions = words(`in on under near behind beside to into from with for over
  across through around at by about of after before between like without above along inside
  next_to out_of up down because_of in_front_of onto toward as past during until`);

const vowelSound = (/** @type {string} */ word) => /^(?!one\b)(?:[aeio]|u[^s]|hour|honest)/.test(word);

/** @param {string} word @returns {'a' | 'an'} */
export function article(word) {
  return vowelSound(word) ? "an" : "a";
}

/** @param {string} entry "mouse/mice" or "fox" @returns {[string, string]} */
export function numberForms(entry) {
  const [singular, plural] = entry.split("/");
  if (plural) return [singular, plural];
  if (/(?:s|x|sh|ch)$/.test(singular)) return [singular, `${singular}es`];
  if (/[^aeiou]y$/.test(singular)) return [singular, `${singular.slice(0, -1)}ies`];
  return [singular, `${singular}s`];
}

/** @param {string} base @returns {string} the third person singular */
function thirdPerson(base) {
  if (base === "have") return "has";
  if (base === "go" || base === "do") return `${base}es`;
  return numberForms(base)[1];
}

/** @param {string} base @param {string} past @returns {string} */
function gerund(base, past) {
  const doubled = /^(?:run|swim|sit|win|let|put|cut|get|forget|begin)$/.test(base);
  if (doubled || (past.endsWith("ed") && past.length === base.length + 3)) {
    return `${base}${base.at(-1)}ing`;
  }
  if (base.endsWith("ie")) return `${base.slice(0, -2)}ying`;
  if (/[^e]e$/.test(base)) return `${base.slice(0, -1)}ing`;
  return `${base}ing`;
}

/** @param {string} base @returns {string} */
function regularPast(base) {
  if (base.endsWith("e")) return `${base}d`;
  if (/[^aeiou]y$/.test(base)) return `${base.slice(0, -1)}ied`;
  return `${base}ed`;
}

/** @param {string} entry @returns {Verb} */
function verbForms(entry) {
  const [base, frames, given, participle] = entry.split(":");
  const past = given ?? regularPast(base);
  const forms = {
    b: base,
    ri: base,
    rp: base,
    rs: thirdPerson(base),
    ds: past,
    dp: past,
    di: past,
    n: participle ?? past,
    g: gerund(base, past),
  };
  return { base, frames, forms };
}

/** @type {ReadonlyMap<string, Verb>} */
export const verbTable = new Map(
  words(verbs).map((entry) => {
    const verb = verbForms(entry);
    return [verb.base, verb];
  }),
);

/** @param {string} noun singular @returns {string} its plural */
export function plural(noun) {
  return pluralOf.get(noun) ?? numberForms(noun)[1];
}

const allNouns = Object.values(nouns).flat().map(numberForms);
const pluralOf = new Map(allNouns);

/** @type {Map<string, Set<string>>} */
const index = new Map();
const add = (/** @type {string} */ word, /** @type {string} */ category) => {
  const known = index.get(word) ?? new Set();
  index.set(word, known.add(category));
};
const addSounded = (/** @type {string} */ word, /** @type {string} */ category) =>
  add(word, `${category}.${vowelSound(word) ? "v" : "c"}`);

for (const [singular, many] of allNouns) {
  addSounded(singular, "Noun.s");
  add(many, "Noun.p");
}
for (const word of massNouns) add(word, "Mass");
for (const word of Object.values(adjectives).flat()) addSounded(word, "Adjective");
for (const word of Object.values(names).flat()) add(word, "Name");
add("Tinytale", "Name");
for (const word of adverbs) add(word, "Adverb");
for (const word of prepositions) add(word, "Preposition");
for (const verb of verbTable.values()) {
  for (const [form, word] of Object.entries(verb.forms)) {
    for (const frame of verb.frames) add(word, `Verb.${frame}.${form}`);
  }
}

/** Word -> its lexical categories; phrases of several words are joined by "_". */
export const lexicon = /** @type {ReadonlyMap<string, ReadonlySet<string>>} */ (index);
