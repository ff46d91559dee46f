// Anything that was thrown, in words: its kind, its message with the messages of its
// causes, its stack. JavaScript lets code throw any value, also one that throws again
// when it is read (a Proxy, a getter); every function here still returns a string.
import { types } from "node:util";

const causesDeep = 8;
const partsWide = 8;

/** An Error's class, such as "TypeError"; any other value's type, such as "string". */
export function kindOfThrown(thrown: unknown): string {
  if (!isError(thrown)) return typeof thrown;
  return text(read(read(thrown, "constructor"), "name")) || text(read(thrown, "name")) || "Error";
}

/**
 * One sentence: the message, then what caused it, then the parts of an AggregateError,
 * such as "fetch failed: connect ECONNREFUSED 127.0.0.1:1". A cause whose message the
 * error's own message has already is not repeated.
 */
export function messageOfThrown(thrown: unknown): string {
  return sentence(thrown, new Set());
}

/** "TypeError: fetch failed: connect ECONNREFUSED 127.0.0.1:1". */
export function describeThrown(thrown: unknown): string {
  return `${kindOfThrown(thrown)}: ${messageOfThrown(thrown)}`;
}

/** The stack, and below it the stacks of the causes and parts. */
export function stackOfThrown(thrown: unknown): string {
  return stacks(thrown, new Set()).join("\ncaused by: ");
}

function sentence(thrown: unknown, seen: Set<unknown>): string {
  if (!isError(thrown)) return valueText(thrown);
  seen.add(thrown);
  const own = text(read(thrown, "message"));
  const told = [own];
  for (const led of ledTo(thrown, seen)) {
    const words = sentence(led, seen);
    if (!told.some((each) => each.includes(words))) told.push(words);
  }
  return told.filter((each) => each !== "").join(": ") || kindOfThrown(thrown);
}

function stacks(thrown: unknown, seen: Set<unknown>): readonly string[] {
  if (!isError(thrown)) return [valueText(thrown)];
  seen.add(thrown);
  const own = text(read(thrown, "stack")) || sentence(thrown, new Set(seen));
  return [own, ...ledTo(thrown, seen).flatMap((led) => stacks(led, seen))];
}

/** The parts of an AggregateError and the cause, without what was told before. */
function ledTo(thrown: unknown, seen: ReadonlySet<unknown>): readonly unknown[] {
  if (seen.size > causesDeep) return [];
  const cause = read(thrown, "cause");
  const led = [...partsOf(thrown), ...(cause === undefined || cause === null ? [] : [cause])];
  return led.filter((each) => !seen.has(each));
}

function partsOf(thrown: unknown): readonly unknown[] {
  const parts = read(thrown, "errors");
  try {
    return Array.isArray(parts) ? parts.slice(0, partsWide).filter(isError) : [];
  } catch {
    return [];
  }
}

/** What is no Error: text as it is, anything else as JSON where it has some. */
function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return stringOf(value);
  }
}

function stringOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `a value of type ${typeof value} that cannot be shown`;
  }
}

function isError(value: unknown): boolean {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    return false;
  }
}

function read(from: unknown, name: string): unknown {
  try {
    return (from as Readonly<Record<string, unknown>> | undefined)?.[name];
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
