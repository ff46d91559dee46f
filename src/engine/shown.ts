// Values as error messages show them: short, never a whole object.

const shownCharacters = 60;

/** A value as an error message shows it. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "nothing";
    case "string":
      return value.length <= shownCharacters ? JSON.stringify(value) : textLength(value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      return showObject(value);
    default:
      return String(value);
  }
}

/** A value where a prompt may stand, whose text no message holds: messages end in logs. */
export function showPrivate(value: unknown): string {
  return typeof value === "string" ? textLength(value) : show(value);
}

/** "1 character", "2 characters". */
export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? "" : "s"}`;
}

function textLength(text: string): string {
  return text === "" ? "an empty string" : `a string of ${counted(text.length, "character")}`;
}

function showObject(value: object | null): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  return "an object";
}
