// The keys of an API: whether a request carries one of them. Keys are kept and compared as
// digests of one length, all of them each time, so that the time of a comparison tells
// nothing about a key.
import { createHash, timingSafeEqual } from "node:crypto";
import { InferenceError } from "../errors.js";

/** A key stands in a header as it is. */
const keyPattern = /^[\x21-\x7e]{1,512}$/;

/** Whether a header can carry it. */
export function isKey(text: string): boolean {
  return keyPattern.test(text);
}

/** The keys that open an API; without any it is open to everybody. */
export class KeyRing {
  readonly #digests: readonly Buffer[];

  /** @throws InferenceError INVALID_OPTION for a key that no header can hold */
  constructor(keys: readonly string[]) {
    if (!keys.every(isKey)) {
      throw new InferenceError(
        "INVALID_OPTION",
        "an API key must be 1 to 512 visible ASCII characters without spaces",
      );
    }
    this.#digests = keys.map(digest);
  }

  get isEmpty(): boolean {
    return this.#digests.length === 0;
  }

  /** Whether the headers carry a key, as "Authorization: Bearer KEY", "Authorization: KEY" or "x-api-key: KEY". */
  admits(headers: Headers): boolean {
    if (this.isEmpty) return true;
    const authorization = headers.get("authorization")?.replace(/^bearer\s+/i, "");
    return [authorization, headers.get("x-api-key")].filter((key) => this.#holds(key ?? "")).length > 0;
  }

  #holds(key: string): boolean {
    const given = digest(key.trim());
    return this.#digests.filter((each) => timingSafeEqual(each, given)).length > 0;
  }
}

/** The keys of a file: one in a line; lines that are empty or begin with # are none. */
export function keysOf(text: string): readonly string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
