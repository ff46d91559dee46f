// Converts JSON values where the field is of another type, as vLLM does: a string
// that spells a number or a boolean, and true, false, 1 and 0 for each other. Values
// that cannot be converted are returned unchanged, for the field's judge to refuse.

const numeral = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i;
const integer = /^\s*[+-]?\d+\s*$/;

/** A number; a bigint for an integer beyond 2^53-1 in a string. */
export function asNumber(value: unknown): unknown {
  if (typeof value === "boolean") return Number(value);
  if (typeof value !== "string" || !numeral.test(value)) return value;
  const read = Number(value);
  return Number.isSafeInteger(read) || !integer.test(value) ? read : BigInt(value.trim().replace(/^\+/, ""));
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
