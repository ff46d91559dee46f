// Seeds of 64 bits. In results a seed is what JSON can hold: a number where that is
// exact, else decimal text; requests take both, and bigints.
import { randomBytes } from "node:crypto";
import { z } from "zod";

/** A seed as a caller writes it. */
export type Seed = number | bigint | string;

/** A seed as a result tells it. */
export type JsonSeed = number | string;

const maximumSeed = 2n ** 64n - 1n;
const seedPhrase = "an integer from 0 to 2^64-1 (above 2^53-1 a bigint or decimal text)";

/** The schema of a seed. */
export const seedSchema = z.custom<Seed>(isSeed, seedPhrase);

function isSeed(value: unknown): boolean {
  if (typeof value === "string") return /^\d{1,20}$/.test(value) && BigInt(value) <= maximumSeed;
  if (typeof value === "bigint") return value >= 0n && value <= maximumSeed;
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The seed in JSON. */
export function jsonSeed(seed: bigint): JsonSeed {
  const value = Number(seed);
  return Number.isSafeInteger(value) ? value : String(seed);
}

const randomBits = 53;

/** For requests without one; a number holds it. */
export function randomSeed(): bigint {
  return BigInt.asUintN(randomBits, randomBytes(8).readBigUInt64LE());
}
