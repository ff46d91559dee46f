// Values of a JSON body where another type is meant, read as vLLM reads them: a
// text that spells a number or a boolean is one, and so are true, false, 1 and 0
// for each other. Whatever cannot be read is handed back as it came, for the judge
// of its field to refuse.

const numeral = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;
const integer = /^\s*[+-]?\d+\s*$/;
const yes: ReadonlySet<unknown> = new Set(["true", "1", "yes", "on", "y", "t"]);
const no: ReadonlySet<unknown> = new Set(["false", "0", "no", "off", "n", "f"]);

/** The number that is meant; an integer that no number can hold is a bigint. */
export function asNumber(value: unknown): unknown {
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string" || !numeral.test(value)) return value;
  const read = Number(value);
  return Number.isSafeInteger(read) || !integer.test(value) ? read : BigInt(value.trim().replace(/^\+/, ""));
}

/** The boolean that is meant. */
export function asFlag(value: unknown): unknown {
  const word = typeof value === "number" || typeof value === "string" ? String(value).toLowerCase() : value;
  if (yes.has(word)) return true;
  return no.has(word) ? false : value;
}

/** A list whose items are numbers. */
export function asNumbers(value: unknown): unknown {
  return Array.isArray(value) ? value.map(asNumber) : value;
}

/** An object whose values are numbers. */
export function asNumbersByKey(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, asNumber(each)]));
}
