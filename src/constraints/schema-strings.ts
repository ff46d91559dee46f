// Strings under a JSON schema, as expressions.
import { anyCharacter, both, choice, type Expression, literal, matches, repeat } from "./expression.js";
import { patternExpression } from "./regex.js";
import { countsOf, type Parts, refuseAt, saidBy } from "./schema-parts.js";
import { besidePattern, stringFormats } from "./string-formats.js";

const longest = 2000;

/** What a string must be. */
export interface StringForm {
  /** It matches all of these. */
  readonly forms: readonly Expression[];
  readonly least: number;
  readonly most: number;
}

export function stringForm(parts: Parts): StringForm {
  const { least, most } = countsOf(parts, "minLength", "maxLength");
  if (least > longest)
    refuseAt(parts[0]?.path ?? "#", `must have minLength of at most ${longest}, got ${least}`);
  const patterns = saidBy(parts, "pattern").map(([pattern, { path }]) => {
    if (typeof pattern !== "string") return refuseAt(path, "must have a pattern that is a string");
    return patternExpression(pattern, path);
  });
  const forms = patterns.length > 0 ? patterns : formats(parts);
  return { forms, least, most };
}

/** Where a pattern says the form, a format only names it. */
function formats(parts: Parts): readonly Expression[] {
  return saidBy(parts, "format").flatMap(([format]) => {
    const pattern = stringFormats.get(format as string);
    return pattern === undefined ? [] : [patternExpression(pattern, String(format))];
  });
}

export function stringExpression(parts: Parts): Expression {
  const { forms, least, most } = stringForm(parts);
  const timed = saidBy(parts, "pattern").flatMap(([pattern, { node, path }]) => {
    const beside = besidePattern(String(pattern), node.format);
    return beside === undefined ? [] : [patternExpression(beside, path)];
  });
  return both([
    ...forms,
    ...timed,
    repeat(anyCharacter, least, most > longest ? Number.POSITIVE_INFINITY : most),
  ]);
}

export function isAllowedString(text: string, parts: Parts): boolean {
  const { forms, least, most } = stringForm(parts);
  const length = Array.from(text).length;
  return least <= length && length <= most && forms.every((form) => matches(form, text));
}

/** These texts. */
export function oneOf(texts: readonly string[]): Expression {
  return choice(texts.map(literal));
}
