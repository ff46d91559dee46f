// Which option an unknown one was meant to be: the same name spelled in another way, the
// name that another interface has for it, or a slip of the keyboard.
import { otherNames, plainName } from "./other-names.js";

/** Shorter names have too many neighbours. */
const leastGuessed = 5;
/** Letters of a name for each letter that may be wrong. */
const lettersPerSlip = 5;

/** The option of `known` that was meant; undefined where that is not sure. */
export function meantOption(unknown: string, known: readonly string[]): string | undefined {
  const plain = plainName(unknown);
  const same = known.find((name) => plainName(name) === plain);
  if (same !== undefined) return same;
  const otherNumber = known.find(
    (name) => plainName(name) === `${plain}s` || `${plainName(name)}s` === plain,
  );
  if (otherNumber !== undefined && !otherNames.has(plain)) return otherNumber;
  const ours = otherNames.get(plain);
  if (ours !== undefined) return ours.find((name) => known.includes(name));
  if (plain.length < leastGuessed) return undefined;
  const most = Math.ceil(plain.length / lettersPerSlip);
  // The unknown name may be a megabyte of somebody else's JSON.
  const near = known.filter((name) => Math.abs(plainName(name).length - plain.length) <= most);
  const slips = near.map((name) => ({ name, slips: distance(plain, plainName(name)) }));
  const fewest = Math.min(...slips.map((each) => each.slips));
  const nearest = slips.filter((each) => each.slips === fewest);
  const names = new Set(nearest.map(({ name }) => plainName(name)));
  if (names.size !== 1 || fewest > most) return undefined;
  return nearest[0]?.name;
}

/** "; did you mean maxTokens?", or "" where nothing near is known. */
export function hint(unknown: string, known: readonly string[]): string {
  const meant = meantOption(unknown, known);
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
export function distance(from: string, to: string): number {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let line = 1; line <= from.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= to.length; column += 1) {
      const differ = from[line - 1] === to[column - 1] ? 0 : 1;
      const steps = [(row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1, (row[column - 1] ?? 0) + differ];
      const swapped = from[line - 1] === to[column - 2] && from[line - 2] === to[column - 1];
      if (line > 1 && column > 1 && swapped) steps.push((before[column - 2] ?? 0) + 1);
      next.push(Math.min(...steps));
    }
    before = row;
    row = next;
  }
  return row[to.length] ?? 0;
}
