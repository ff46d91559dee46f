// Words that native code, its tests and build, the rules and the decisions no longer use, since only
// we understood them, and the word of the field that stands instead. Identifiers are looked for in
// native code and its tests, phrases in comments, literals and documents too.
// Only words without another meaning there are listed, so that no finding is a false one.
import { readFileSync } from "node:fs";
import path from "node:path";
import { stripText } from "./source-text.mjs";

/** Patterns of whole identifiers; a trailing underscore, as of a member, belongs to each. */
const identifiers = [
  ["cuts|cuttable", "can_truncate"],
  ["(?:\\w+_)?take_back(?:_padding)?", "roll_back"],
  ["siblings", "forks"],
  ["[Gg]uesser(?:s|_of)?|[Gg]uesses|decode_guessed|guessing_pass", "draft, drafter"],
  ["came_true|kCameTrue", "accepted"],
  ["set_aside|kSetAside", "swap_out, kSwapped"],
  ["(?:choose|take|leave|forget|has)_place|place_for|free_places", "hold, release, has_sequence"],
  ["first_to_leave", "preemption_candidate"],
  ["let_go|give_back|put_back", "release, restore"],
  ["read_prompts|reading_pass", "prefill"],
  ["ask_older|ask_model", "await, draft"],
  ["tell_prompts?|tells_prompt|tell_accepted|telling", "score, publish"],
  ["Given", "a name for what it holds"],
];

const phrases = [
  ["(?:cannot )?be cut", "be truncated"],
  ["cut back", "truncated, rolled back"],
  ["(?:takes?|took|taken|taking) back", "roll back"],
  ["guess(?:es|ed|ing)? for", "draft"],
  ["set aside", "swapped out, preempted"],
  ["(?:comes?|came) true", "accepted"],
  ["los(?:es?|t|ing) (?:its|their) places?", "preempted, evicted"],
  ["(?:begins?|began) alike", "with the same prefix"],
  ["(?:some|any|every|no)body|(?:some|any|every)one", "the request, thread or caller by its name"],
  ["who(?:so|m)?ever", "the request, thread or caller by its name"],
];

const asCode = identifiers.map(([word, instead]) => [new RegExp(`\\b(?:${word})_?\\b`, "g"), instead]);
// A phrase may go on in the next line of its comment.
const asText = phrases.map(([words, instead]) => [
  new RegExp(`\\b(?:${words.replaceAll(" ", "\\s+(?:(?://|#)\\s*)?")})\\b`, "gi"),
  instead,
]);

const judged = [
  /^(?:test\/)?native\/.*\.(?:h|c|cpp|cu|cuh|md)$/,
  /^cmake\/.*\.cmake$/,
  /^tools\/rules\/(?!words\.mjs$).*\.mjs$/, // which lists the words themselves
  /^docs\/decisions\/.*\.md$/,
];

/** Sentences about those of `files` that are judged and use a withdrawn word. */
export function wordFindings(folder, files) {
  return files
    .filter((file) => judged.some((pattern) => pattern.test(file)))
    .flatMap((file) => {
      const text = readFileSync(path.join(folder, file), "utf8");
      const code = /\.(?:h|c|cpp|cu|cuh)$/.test(file) ? stripText(text) : "";
      return [...found(asCode, code), ...found(asText, text)].map(
        ([line, words, instead]) => `${file}:${line}: says "${words}"; write instead: ${instead}`,
      );
    });
}

function found(patterns, text) {
  return patterns.flatMap(([pattern, instead]) =>
    [...text.matchAll(pattern)].map(({ 0: words, index }) => [
      text.slice(0, index).split("\n").length,
      words.replace(/\s+(?:(?:\/\/|#)\s*)?/g, " "),
      instead,
    ]),
  );
}
