// The form of an answer: which fields it has and of which types, whatever it says.
// Two forms are compared line by line.

/** JSON types by the path of the field, such as "choices[].message.content". */
export type Form = ReadonlyMap<string, ReadonlySet<string>>;

/** Objects that are keyed by tokens, and lists of such. */
const byToken = /(^|\.)(logprobs\.top_logprobs|prompt_logprobs)\[\]$/;

export function formOf(values: readonly unknown[]): Form {
  const form = new Map<string, Set<string>>();
  const add = (value: unknown, path: string) => {
    const type = value === null ? "null" : Array.isArray(value) ? "list" : typeof value;
    if (path !== "") form.set(path, (form.get(path) ?? new Set()).add(type));
    if (Array.isArray(value)) for (const item of value) add(item, `${path}[]`);
    else if (type === "object") {
      for (const [key, each] of Object.entries(value as object)) {
        const name = byToken.test(path) ? "*" : key;
        add(each, path ? `${path}.${name}` : name);
      }
    }
  };
  for (const value of values) add(value, "");
  return form;
}

/** Where two forms differ: the path, and the types there and here; fields of an absent object are not told. */
export function differences(there: Form, here: Form): readonly (readonly [string, string, string])[] {
  const types = (form: Form, path: string) => [...(form.get(path) ?? ["absent"])].sort().join(" or ");
  const paths = [...new Set([...there.keys(), ...here.keys()])];
  const different = paths.filter((path) => types(there, path) !== types(here, path));
  const isInside = (path: string) =>
    different.some(
      (other) => path !== other && /^[.[]/.test(path.slice(other.length)) && path.startsWith(other),
    );
  return different
    .filter((path) => !isInside(path))
    .map((path) => [path, types(there, path), types(here, path)] as const);
}

/** Fields of a stream in the order in which they first say something. */
export function orderOf(events: readonly unknown[]): readonly string[] {
  const order = new Set<string>();
  for (const event of events) {
    for (const [path, types] of formOf([saying(event)])) if (!types.has("null")) order.add(path);
  }
  return [...order];
}

/** Without texts that are empty. */
function saying(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (_name, each) => (each === "" ? null : each));
}
