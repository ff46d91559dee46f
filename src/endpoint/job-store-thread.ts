// The thread that writes jobs to the disk, so that a large job or a slow disk holds up no request
// but its own. What came while a transaction was written is the next one: many jobs, one write
// to the disk. It is a file of its own in dist/.
import { parentPort, workerData } from "node:worker_threads";
import { messageOfThrown } from "../thrown.js";
import { JobDatabase, type Statements } from "./job-database.js";

export interface StoreThreadData {
  readonly folder: string;
}

/** One call of a statement. */
export interface StoreCall {
  readonly number: number;
  readonly name: keyof Statements | "close";
  readonly values: readonly unknown[];
}

/** What came of the call with that number; 0 is the opening. */
export interface StoreAnswer {
  readonly number: number;
  readonly value?: unknown;
  /** Why it failed; a code of SQLite's or the system's may say more. */
  readonly failure?: { readonly code: string | undefined; readonly reason: string };
}

const sweepEveryMs = 60_000;
const { folder } = workerData as StoreThreadData;
let waiting: StoreCall[] = [];

function tell(answers: readonly StoreAnswer[]): void {
  parentPort?.postMessage(answers);
}

function failureOf(number: number, thrown: unknown): StoreAnswer {
  const { code } = Object(thrown) as { readonly code?: unknown };
  return {
    number,
    failure: { code: typeof code === "string" ? code : undefined, reason: messageOfThrown(thrown) },
  };
}

/** Runs the calls as one transaction; where that fails each for itself, so that one that is too large fails alone. */
function answersTo(database: JobDatabase, calls: readonly StoreCall[]): readonly StoreAnswer[] {
  const one = ({ number, name, values }: StoreCall): StoreAnswer => {
    const statement = database.statements[name as keyof Statements] as (...given: unknown[]) => unknown;
    return { number, value: statement(...values) };
  };
  try {
    return database.transaction(() => calls.map(one));
  } catch (thrown) {
    if (calls.length === 1) return calls.map(({ number }) => failureOf(number, thrown));
    return calls.flatMap((call) => answersTo(database, [call]));
  }
}

function work(database: JobDatabase): void {
  const calls = waiting;
  waiting = [];
  const last = calls.find(({ name }) => name === "close");
  const others = calls.filter(({ name }) => name !== "close");
  if (others.length > 0) tell(answersTo(database, others));
  if (last === undefined) return;
  clearInterval(sweeping);
  database.close();
  tell([{ number: last.number }]);
  parentPort?.close();
}

function sweep(database: JobDatabase): void {
  try {
    database.transaction(() => database.statements.sweep(Date.now()));
  } catch {
    // A full disk is told to those who want to write; deleting is tried again.
  }
}

let sweeping: NodeJS.Timeout | undefined;

async function open(): Promise<void> {
  const { default: Sqlite } = await import("libsql");
  const database = new JobDatabase(Sqlite, folder, Date.now());
  sweeping = setInterval(() => sweep(database), sweepEveryMs);
  parentPort?.on("message", (call: StoreCall) => {
    if (waiting.length === 0) setImmediate(() => work(database));
    waiting.push(call);
  });
  tell([{ number: 0 }]);
}

open().catch((thrown: unknown) => {
  tell([failureOf(0, thrown)]);
  parentPort?.close();
});
