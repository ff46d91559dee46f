// Values as JSON text that the platform can read. What JSON.stringify() turns into {}
// or leaves out without a word either becomes its content, or is refused by its path:
// a result that looks delivered must be whole.
import { types } from "node:util";
import { messageOfThrown } from "../thrown.js";

/**
 * - NaN and infinities become null, undefined at the top too; a field that is undefined is left out
 * - a BigInt becomes a number where that is exact, else a string; a lone surrogate U+FFFD
 * - Uint8Array, ArrayBuffer and DataView become base64 text, other typed arrays lists of numbers
 * - a Set becomes a list; a Map an object where its keys are distinct texts or numbers, else a list of pairs
 * - an Error becomes its message, with its causes' messages
 *
 * @throws TypeError that names the path of what has no JSON: a function, a symbol, a
 *   promise, a Response, any object but a plain one whose fields JSON cannot see; also
 *   for a value that contains itself; or what a getter or toJSON() of the value throws
 */
export function toWireJson(value: unknown): string {
  const walk = new Walk();
  const json = JSON.stringify(value, function (this: unknown, key: string, each: unknown) {
    return walk.visit(this, key, each);
  });
  return json === undefined ? "null" : wellFormed(json);
}

/** Whether a value's JSON is an object of its own fields. */
export function hasFields(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  if (contentOf(value) !== value) return false;
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return false;
  return reasonAgainst(value) === undefined;
}

/** Follows JSON.stringify() through a value, so that what is refused can be named by its path. */
class Walk {
  /** The objects that are open, what was given for each, and its key within the one before. */
  readonly #open: { readonly object: unknown; readonly given: unknown; readonly key: string }[] = [];

  /** Called for every value there is, so the common kinds are told apart first. */
  visit(holder: unknown, key: string, value: unknown): unknown {
    switch (typeof value) {
      case "string":
      case "number":
      case "boolean":
      case "undefined":
        return value;
      case "bigint":
        return numberOf(value);
      default:
        return value === null ? null : this.#visitObject(holder, key, value);
    }
  }

  /** @param value an object, a function or a symbol */
  #visitObject(holder: unknown, key: string, value: unknown): unknown {
    while (this.#open.length > 0 && this.#open.at(-1)?.object !== holder) this.#open.pop();
    const content = contentOf(unbuffered(holder, key, value));
    const again = content !== value && this.#open.some(({ given }) => given === value);
    const reason = again ? "contains itself, which JSON cannot say" : reasonAgainst(content);
    if (reason !== undefined) throw new TypeError(`${this.#path(holder, key)} ${reason}`);
    if (typeof content === "object") this.#open.push({ object: content, given: value, key });
    return content;
  }

  /** "output.late[0]"; "the value" for the whole. */
  #path(holder: unknown, key: string): string {
    const holders = [...this.#open.map(({ object }) => object), holder];
    const keys = [...this.#open.map((each) => each.key), key];
    const steps = keys.map((each, index) => {
      // The first key is that of the whole, "".
      const owner = index === 0 ? undefined : holders[index - 1];
      if (owner === undefined) return "";
      if (Array.isArray(owner)) return `[${each}]`;
      return /^[A-Za-z_$][\w$]*$/.test(each) ? `.${each}` : `[${JSON.stringify(each)}]`;
    });
    return steps.join("").replace(/^\./, "") || "the value";
  }
}

/** A Buffer has been to its toJSON() already. */
function unbuffered(holder: unknown, key: string, value: unknown): unknown {
  const { type, data } = value as { readonly type?: unknown; readonly data?: unknown };
  if (type !== "Buffer" || !Array.isArray(data)) return value;
  const original = (holder as Readonly<Record<string, unknown>>)[key];
  return Buffer.isBuffer(original) ? original : value;
}

/** What stands for a value in JSON; the value itself where JSON knows it, or nothing does. */
function contentOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value) || isPlain(value)) return value;
  if (types.isUint8Array(value)) return base64(value.buffer, value.byteOffset, value.byteLength);
  if (types.isBigInt64Array(value) || types.isBigUint64Array(value)) return Array.from(value, numberOf);
  if (types.isTypedArray(value)) return Array.from(value as Float64Array);
  if (types.isDataView(value)) return base64(value.buffer, value.byteOffset, value.byteLength);
  if (types.isAnyArrayBuffer(value)) return base64(value, 0, value.byteLength);
  if (types.isSet(value)) return [...value];
  if (types.isMap(value)) return contentOfMap(value);
  if (types.isBoxedPrimitive(value)) return unboxed(value);
  return types.isNativeError(value) || value instanceof Error ? messageOfThrown(value) : value;
}

function unboxed(boxed: object): unknown {
  const value = boxed.valueOf() as unknown;
  return typeof value === "bigint" ? numberOf(value) : value;
}

function contentOfMap(map: ReadonlyMap<unknown, unknown>): unknown {
  const keys = [...map.keys()];
  const names = keys.every((key) => typeof key === "string" || typeof key === "number");
  return names && new Set(keys.map(String)).size === keys.length ? Object.fromEntries(map) : [...map];
}

/** Why a value has no JSON; undefined where it has some. */
function reasonAgainst(value: unknown): string | undefined {
  if (typeof value === "function")
    return `is a function${value.name && ` ${value.name}`}, which has no JSON; call it`;
  if (typeof value === "symbol") return "is a symbol, which has no JSON";
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const plain = isPlain(value);
  if (!plain && typeof (value as { then?: unknown }).then === "function") {
    return `is a promise of class ${classOf(value)}, which has no JSON; await it`;
  }
  if (Symbol.asyncIterator in value) {
    return `is a stream of class ${classOf(value)}, which has no JSON; read it`;
  }
  if (Object.keys(value).length > 0) return undefined;
  if (plain && Reflect.ownKeys(value).length === 0) return undefined;
  return `is of class ${classOf(value)}, whose content JSON cannot see; give its data as text, a list or a plain object`;
}

/** Of this realm or another one. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null;
}

/** "Response"; "Array Iterator" for what was made by no constructor of its own. */
function classOf(value: object): string {
  const { constructor: made } = value;
  const named = typeof made === "function" && (made !== Object || isPlain(value)) ? made.name : "";
  return named || Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function numberOf(value: bigint): number | string {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
}

function base64(buffer: ArrayBufferLike, offset: number, length: number): string {
  return Buffer.from(buffer, offset, length).toString("base64");
}

/** A backslash, or a lone surrogate, which JSON.stringify() escapes. */
const escapes = /\\(?:\\|ud[89a-f][0-9a-f]{2})/g;

/** JSON text, in names and values, without lone surrogates. */
function wellFormed(json: string): string {
  if (!json.includes("\\ud")) return json;
  return json.replace(escapes, (found) => (found === "\\\\" ? found : "\ufffd"));
}
