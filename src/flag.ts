// A JSON value as a boolean, as vLLM reads it: also in words and as 0 and 1.

const yes: ReadonlySet<unknown> = new Set(["true", "1", "yes", "on", "y", "t"]);
const no: ReadonlySet<unknown> = new Set(["false", "0", "no", "off", "n", "f"]);

/** True or false; a value that is neither is returned unchanged. */
export function asFlag(value: unknown): unknown {
  const word = typeof value === "number" || typeof value === "string" ? String(value).toLowerCase() : value;
  if (yes.has(word)) return true;
  return no.has(word) ? false : value;
}
