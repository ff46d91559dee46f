// Which of a few known words a misspelt one was meant to be.
import { distance } from "../engine/suggestion.js";

/** The known word that `word` begins or is a slip away from; undefined where none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const begun = known.filter((each) => word !== "" && each.startsWith(word));
  if (begun.length === 1) return begun[0];
  const most = word.length > 4 ? 2 : 1;
  const near = known
    .map((each) => ({ each, slips: distance(word, each) }))
    .filter(({ slips }) => slips <= most)
    .sort((left, right) => left.slips - right.slips);
  return near[0]?.each;
}
