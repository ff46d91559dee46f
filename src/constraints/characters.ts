// Sets of characters as ranges of code points, ascending and apart.

/** Characters from the first to the last, both included, as code points. */
export type CharacterRange = readonly [first: number, last: number];

/** The last code point there is. */
export const lastCharacter = 0x10ffff;

/** The same characters in ascending ranges that neither meet nor touch. */
export function normalized(ranges: readonly CharacterRange[]): readonly CharacterRange[] {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  for (const [first, last] of sorted) {
    const before = joined.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else joined.push([first, last]);
  }
  return joined;
}

/** All characters that are in none of the ranges. */
export function complement(ranges: readonly CharacterRange[]): readonly CharacterRange[] {
  const rest: CharacterRange[] = [];
  let next = 0;
  for (const [first, last] of normalized(ranges)) {
    if (first > next) rest.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= lastCharacter) rest.push([next, lastCharacter]);
  return rest;
}

/** The characters that are in both. */
export function common(
  some: readonly CharacterRange[],
  others: readonly CharacterRange[],
): readonly CharacterRange[] {
  return some.flatMap(([a, b]) =>
    others.flatMap(([c, d]): CharacterRange[] => {
      const first = Math.max(a, c);
      const last = Math.min(b, d);
      return first <= last ? [[first, last]] : [];
    }),
  );
}

export function has(ranges: readonly CharacterRange[], character: number): boolean {
  return ranges.some(([first, last]) => first <= character && character <= last);
}

/** All characters but halves of pairs, in pieces without gaps. */
const pieces: readonly CharacterRange[] = [
  [0, 0xd7ff],
  [0xe000, 0xffff],
  ...Array.from({ length: 16 }, (_, index): CharacterRange => [(index + 1) << 16, ((index + 2) << 16) - 1]),
];
const known = new Map<string, readonly CharacterRange[]>();

/** The characters of a Unicode property, as `\p{…}` names it; undefined where there is no such property. */
export function unicodeProperty(name: string): readonly CharacterRange[] | undefined {
  const found = known.get(name);
  if (found !== undefined) return found;
  let expression: RegExp;
  try {
    expression = new RegExp(`\\p{${name}}+`, "gu");
  } catch {
    return undefined;
  }
  const ranges = pieces.flatMap(([first, last]) =>
    Array.from(textOf(first, last).matchAll(expression), ([run]): CharacterRange => {
      const begin = run.codePointAt(0) ?? 0;
      return [begin, begin + (begin > 0xffff ? run.length / 2 : run.length) - 1];
    }),
  );
  known.set(name, ranges);
  return ranges;
}

function textOf(first: number, last: number): string {
  const units: number[] = [];
  for (let each = first; each <= last; each += 1) {
    if (each <= 0xffff) units.push(each);
    else units.push(0xd800 + ((each - 0x10000) >> 10), 0xdc00 + (each & 0x3ff));
  }
  return Buffer.from(Uint16Array.from(units).buffer).toString("utf16le");
}
