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
 * One sentence: the message, the parts of an AggregateError and what caused it, such as
 * "fetch failed: connect ECONNREFUSED ::1:80; connect ECONNREFUSED 127.0.0.1:80". What the
 * message quotes already is not repeated.
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

/** What Node's permission model names what it denies, and the flag that allows it. */
const flags: Readonly<Record<string, string>> = {
  ChildProcess: "--allow-child-process",
  WorkerThreads: "--allow-worker",
  FileSystemRead: "--allow-fs-read",
  FileSystemWrite: "--allow-fs-write",
};

/** The message; newer versions of Node name the flag themselves. */
function ownMessage(error: unknown): string {
  const message = text(read(error, "message"));
  const flag = flags[text(read(error, "permission"))];
  if (read(error, "code") !== "ERR_ACCESS_DENIED" || flag === undefined || message.includes(flag))
    return message;
  const resource = text(read(error, "resource"));
  return `${message}; start Node with ${flag}${resource === "" ? "" : `=${resource}`}`;
}

function sentence(thrown: unknown, seen: Set<unknown>): string {
  if (!isError(thrown)) return valueText(thrown);
  seen.add(thrown);
  const own = ownMessage(thrown);
  const { parts, cause } = ledTo(thrown, seen);
  const told = (led: readonly unknown[]) =>
    [...new Set(led.map((each) => sentence(each, seen)))].filter((words) => !repeats(own, words)).join("; ");
  const words = [own, told(parts), told(cause)].filter((each) => each !== "");
  return (
    words.map((each, place) => (place < words.length - 1 ? each.replace(/\.$/, "") : each)).join(": ") ||
    kindOfThrown(thrown)
  );
}

/** Whether a message quotes another one, as "no model: ENOENT" and "no model (ENOENT)" do. */
function repeats(message: string, quoted: string): boolean {
  return message === quoted || [`: ${quoted}`, `(${quoted}`].some((quote) => message.includes(quote));
}

function stacks(thrown: unknown, seen: Set<unknown>): readonly string[] {
  if (!isError(thrown)) return [valueText(thrown)];
  seen.add(thrown);
  const own = text(read(thrown, "stack")) || sentence(thrown, new Set(seen));
  const { parts, cause } = ledTo(thrown, seen);
  return [own, ...[...parts, ...cause].flatMap((led) => stacks(led, seen))];
}

/** The parts of an AggregateError and the cause, without what was told before. */
function ledTo(thrown: unknown, seen: ReadonlySet<unknown>) {
  if (seen.size > causesDeep) return { parts: [], cause: [] };
  const cause = read(thrown, "cause");
  const fresh = (led: readonly unknown[]) => led.filter((each) => !seen.has(each));
  return {
    parts: fresh(partsOf(thrown)),
    cause: fresh(cause === undefined || cause === null ? [] : [cause]),
  };
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
