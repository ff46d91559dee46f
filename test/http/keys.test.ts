// Keys are compared in a time that tells nothing of them: all of each key, whatever is given.
import * as crypto from "node:crypto";
import { beforeEach, expect, it, vi } from "vitest";
import { KeyRing } from "../../src/http/keys.js";

// The comparison of Node itself, which is counted.
vi.mock("node:crypto", async (original) => {
  const module = await original<typeof crypto>();
  return { ...module, timingSafeEqual: vi.fn(module.timingSafeEqual) };
});

const compared = vi.mocked(crypto.timingSafeEqual);
beforeEach(() => void compared.mockClear());

const keys = ["first-key", "second-key", "a", "x".repeat(512)];
const wrong = ["", "first-ke", "first-kez", "zirst-key", "b", "x".repeat(511), "x".repeat(20_000), "é"];

it.each([...keys, ...wrong])("compares all of each key, whatever is given (%#)", (given) => {
  const ring = new KeyRing(keys);
  for (const name of ["authorization", "x-api-key"]) {
    compared.mockClear();
    const value = Buffer.from(given).toString("latin1"); // as bytes come in a header
    expect(ring.admits(new Headers({ [name]: value }))).toBe(keys.includes(given));
    expect(compared).toHaveBeenCalledTimes(2 * keys.length); // both headers, the one that is missing too
    for (const [one, other] of compared.mock.calls)
      expect([one.byteLength, other.byteLength]).toEqual([32, 32]); // digests, which no length tells
  }
});
