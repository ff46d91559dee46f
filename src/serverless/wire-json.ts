// Values as JSON text that the platform can read, whatever a handler made of
// them: a job is never lost because its result does not serialize.

/**
 * NaN and infinities become null, a BigInt a number where that is exact and else
 * a string, bytes base64 text, a lone surrogate U+FFFD; undefined is null.
 * @throws TypeError for a value that contains itself
 */
export function toWireJson(value: unknown): string {
  return JSON.stringify(value, replace) ?? "null";
}

function replace(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Readonly<Record<string, unknown>>)[key]; // Buffer has been to its toJSON()
  if (original instanceof Uint8Array) {
    return Buffer.from(original.buffer, original.byteOffset, original.byteLength).toString("base64");
  }
  switch (typeof value) {
    case "string":
      return wellFormed(value);
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
    default:
      return value;
  }
}

const surrogate = /[\ud800-\udfff]/;

function wellFormed(text: string): string {
  return surrogate.test(text) ? Buffer.from(text, "utf8").toString("utf8") : text;
}
