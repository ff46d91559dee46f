// Numbers under a JSON schema, as expressions over the characters they are written
// in. Bounds are compared digit by digit. Where a number has none it may have an
// exponent; a bounded one is written out, with up to 16 digits after the point.
import {
  anything,
  both,
  choice,
  type Expression,
  empty,
  literal,
  multiple,
  never,
  optional,
  repeat,
  sequence,
  set,
} from "./expression.js";
import { type Json, type Parts, refuseAt, saidBy } from "./schema-parts.js";

const digitRange = (first: number, last: number) =>
  first > last ? never : set([[0x30 + first, 0x30 + last]]);
const digit = digitRange(0, 9);
const minus = literal("-");
const point = literal(".");
const mostDigits = 16; // of what has no bound
const mostDecimals = 16;
const largestDivisor = 1000;
/** Bounds that JavaScript's numbers make of the largest integers of 64 bits, and those integers. */
const rounded: ReadonlyMap<bigint, bigint> = new Map(
  [2n ** 63n, 2n ** 64n].map((power) => [power, power - 1n]),
);

const integerPart = choice([literal("0"), sequence([digitRange(1, 9), repeat(digit, 0, mostDigits - 1)])]);
const anyNumber = sequence([
  optional(minus),
  integerPart,
  optional(sequence([point, repeat(digit, 1, mostDecimals)])),
  optional(
    sequence([
      choice([literal("e"), literal("E")]),
      optional(choice([literal("+"), minus])),
      repeat(digit, 1, 2),
    ]),
  ),
]);

/** A bound: its digits before and after the point. */
interface Bound {
  readonly negative: boolean;
  readonly whole: bigint;
  /** Without zeros at the end. */
  readonly decimals: string;
  readonly exclusive: boolean;
}

/** Integers as they may be written. */
export function integerExpression(parts: Parts): Expression {
  const least = strongest(parts, 1);
  const most = strongest(parts, -1);
  const from = least && -roundedDown({ ...least, negative: !least.negative });
  const to = most && roundedDown(most);
  const range = integersBetween(from && exact(from), to && exact(to));
  return both([range, ...divisors(parts, anything)]);
}

/** Numbers as they may be written. */
export function numberExpression(parts: Parts): Expression {
  const steps = divisors(parts, integerPart);
  const least = strongest(parts, 1);
  const most = strongest(parts, -1);
  if (least === undefined && most === undefined) return both([anyNumber, ...steps]);
  const below = isZero(least) ? never : sequence([minus, positivesBetween(turned(most), turned(least))]);
  return both([choice([positivesBetween(least, most), below]), ...steps]);
}

const turned = (bound: Bound | undefined) => bound && { ...bound, negative: !bound.negative };

/** Numbers without a sign between these bounds. */
function positivesBetween(least: Bound | undefined, most: Bound | undefined): Expression {
  if (most?.negative && !isZero(most)) return never;
  const low = least === undefined || (least.negative && !isZero(least)) ? undefined : least;
  const beyond = low !== undefined && low.whole >= unbounded;
  const isOpen = most === undefined || (most.whole >= unbounded && !beyond);
  const high = isOpen ? (beyond ? anything : positive) : notAbove(most);
  return low === undefined || (isZero(low) && !low.exclusive) ? high : both([high, notBelow(low)]);
}

const unbounded = 10n ** BigInt(mostDigits);
const anyDecimals = optional(sequence([point, repeat(digit, 1, mostDecimals)]));
const positive = sequence([integerPart, anyDecimals]);

function isZero(bound: Bound | undefined): bound is Bound {
  return bound !== undefined && bound.whole === 0n && bound.decimals === "";
}

/** The largest integer that is not above the bound. */
function roundedDown({ negative, whole, decimals, exclusive }: Bound): bigint {
  if (negative) return -whole - (decimals !== "" || exclusive ? 1n : 0n);
  return decimals === "" && exclusive ? whole - 1n : whole;
}

function exact(bound: bigint): bigint {
  const size = bound < 0n ? -bound : bound;
  const known = rounded.get(size);
  if (known === undefined) return bound;
  return bound < 0n ? -size : known;
}

/** The strongest lower (1) or upper (-1) bound. */
function strongest(parts: Parts, direction: 1 | -1): Bound | undefined {
  const [inclusive, exclusive] =
    direction === 1 ? (["minimum", "exclusiveMinimum"] as const) : (["maximum", "exclusiveMaximum"] as const);
  let found: { readonly value: number; readonly exclusive: boolean } | undefined;
  const consider = (value: number, isExclusive: boolean) => {
    const distance = found === undefined ? 1 : (value - found.value) * direction;
    if (distance > 0 || (distance === 0 && isExclusive)) found = { value, exclusive: isExclusive };
  };
  for (const [value, { node, path }] of saidBy(parts, inclusive)) {
    // Draft 4 writes the exclusive bound as a flag.
    consider(asNumber(value, inclusive, path), node[exclusive] === true);
  }
  for (const [value, { path }] of saidBy(parts, exclusive)) {
    if (typeof value !== "boolean") consider(asNumber(value, exclusive, path), true);
  }
  return found && { ...decimal(found.value), exclusive: found.exclusive };
}

function asNumber(value: Json, keyword: string, path: string): number {
  return typeof value === "number"
    ? value
    : refuseAt(path, `must have a number in ${keyword}, got ${JSON.stringify(value)}`);
}

/** A number written out. */
function decimal(value: number): Omit<Bound, "exclusive"> {
  const [mantissa = "0", exponent = "0"] = String(Math.abs(value)).split("e");
  const [before = "0", after = ""] = mantissa.split(".");
  const shift = Number(exponent);
  const all = before + after;
  const place = before.length + shift;
  const padded = place > 0 ? all.padEnd(place, "0") : "0".repeat(1 - place) + all;
  const split = Math.max(place, 1);
  return {
    negative: value < 0,
    whole: BigInt(padded.slice(0, split)),
    decimals: padded.slice(split).replace(/0+$/, ""),
  };
}

function integersBetween(from: bigint | undefined, to: bigint | undefined): Expression {
  const open = (bound: bigint | undefined) => farthest(bound ?? 0n);
  const low = from ?? -open(to);
  const high = to ?? open(from);
  const negatives = low < 0n ? naturals(high < 0n ? -high : 1n, -low) : never;
  return choice([naturals(low > 0n ? low : 0n, high), sequence([minus, negatives])]);
}

/** How far integers without a bound go. */
function farthest(beyond: bigint): bigint {
  const size = beyond < 0n ? -beyond : beyond;
  const usual = 10n ** BigInt(mostDigits) - 1n;
  return size * 10n > usual ? size * 10n + 9n : usual;
}

/** Integers from one to another, neither below 0. */
function naturals(from: bigint, to: bigint): Expression {
  if (from > to) return never;
  const [first, last] = [String(from), String(to)];
  if (first.length === last.length) return sameLength(first, last);
  const longer = first.length + 1;
  const between = sequence([digitRange(1, 9), repeat(digit, longer - 1, last.length - 2)]);
  return choice([
    sameLength(first, "9".repeat(first.length)),
    longer < last.length ? between : never,
    sameLength(`1${"0".repeat(last.length - 1)}`, last),
  ]);
}

/** Digits between two numbers of as many. */
function sameLength(from: string, to: string): Expression {
  const rest = from.length - 1;
  if (rest < 0) return empty;
  const [low, high] = [Number(from[0]), Number(to[0])];
  const [fromRest, toRest] = [from.slice(1), to.slice(1)];
  if (low === high) return sequence([literal(String(low)), sameLength(fromRest, toRest)]);
  // Where all that begins with a digit is between them, it joins those in the middle.
  const [least, most] = [/^0*$/.test(fromRest) ? low : low + 1, /^9*$/.test(toRest) ? high : high - 1];
  return choice([
    least > low ? sequence([literal(String(low)), sameLength(fromRest, "9".repeat(rest))]) : never,
    sequence([digitRange(least, most), repeat(digit, rest, rest)]),
    most < high ? sequence([literal(String(high)), sameLength("0".repeat(rest), toRest)]) : never,
  ]);
}

const digits = (least: number, most: number) => repeat(digit, least, Math.max(most, 0));

/** Numbers without a sign that are at least the bound. */
function notBelow({ whole, decimals, exclusive }: Bound): Expression {
  const above = sequence([naturals(whole + 1n, farthest(whole)), anyDecimals]);
  const isReached = decimals === "" && !exclusive;
  const equal = isReached ? anyDecimals : sequence([point, decimalsAbove(decimals, exclusive, mostDecimals)]);
  return choice([above, sequence([literal(String(whole)), equal])]);
}

/** So many digits after the point at most, not below these. */
function decimalsAbove(decimals: string, exclusive: boolean, room: number): Expression {
  const [first, ...rest] = decimals;
  if (room === 0) return decimals === "" && !exclusive ? empty : never;
  if (first === undefined && !exclusive) return digits(0, room);
  const above = sequence([digitRange(Number(first ?? 0) + 1, 9), digits(0, room - 1)]);
  const equal = sequence([literal(first ?? "0"), decimalsAbove(rest.join(""), exclusive, room - 1)]);
  return choice([above, equal]);
}

/** Numbers without a sign that are at most the bound. */
function notAbove({ whole, decimals, exclusive }: Bound): Expression {
  const below = sequence([naturals(0n, whole - 1n), anyDecimals]);
  const none = decimals !== "" || !exclusive ? empty : never;
  const within = sequence([point, decimalsBelow(decimals, exclusive, mostDecimals)]);
  return choice([below, sequence([literal(String(whole)), choice([none, within])])]);
}

/** So many digits after the point at most, and one at least, not above these. */
function decimalsBelow(decimals: string, exclusive: boolean, room: number): Expression {
  const [first, ...rest] = decimals;
  if (room === 0) return never;
  if (first === undefined) return exclusive ? never : repeat(literal("0"), 1, room);
  const below = sequence([digitRange(0, Number(first) - 1), digits(0, room - 1)]);
  const isShorter = rest.length > 0 || !exclusive ? empty : never;
  const equal = choice([isShorter, decimalsBelow(rest.join(""), exclusive, room - 1)]);
  return choice([below, sequence([literal(first), equal])]);
}

/** What multipleOf says: a whole number, or one that counts decimals (0.01). */
function divisors(parts: Parts, integers: Expression): readonly Expression[] {
  return saidBy(parts, "multipleOf").map(([value, { path }]) => {
    const by = asNumber(value, "multipleOf", path);
    const signed = (inner: Expression) => sequence([optional(minus), inner]);
    if (Number.isInteger(by) && by >= 1 && by <= largestDivisor) {
      return signed(both([integers, multiple(by)]));
    }
    const places = /^(?:0\.(0*)1|1e-(\d+))$/.exec(String(by));
    const count = places?.[1] === undefined ? Number(places?.[2] ?? 0) : places[1].length + 1;
    if (count >= 1 && count <= mostDecimals) {
      return signed(sequence([integerPart, optional(sequence([point, repeat(digit, 1, count)]))]));
    }
    return refuseAt(
      path,
      `cannot use multipleOf ${by}, only whole numbers up to ${largestDivisor} and 0.1, 0.01 and so on`,
    );
  });
}
