// JSON that crosses to the C++ side. Halves of surrogate pairs: JavaScript's strings may
// have them, UTF-8 has not, and the C++ side refuses JSON that does.

const pairOrHalf =
  /\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\u[dD][89a-fA-F][\da-fA-F]{2}|\\./g;
const halfLength = "\\ud800".length;

/** A JSON text whose halves of surrogate pairs are U+FFFD, as they are in a prompt. */
export function wellFormedJson(json: string): string {
  if (!/\\u[dD][89a-fA-F]/.test(json)) return json;
  return json.replace(pairOrHalf, (each) => (each.length === halfLength ? "\ufffd" : each));
}

/** What the text says; undefined where it is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
