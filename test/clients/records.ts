// What the last real run of each program's client showed. Programs are not everywhere: where one is missing,
// its row tells of that run, with its date and version.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Use } from "./matrix.js";
import type { ProgramClient } from "./programs.js";

export interface ClientRecord {
  /** The day of the run, such as "2026-12-01". */
  readonly date: string;
  /** What was run, such as "Python: openai 3.57". */
  readonly ran: string;
  /** Whether each use passed; its figure where it has one. */
  readonly works: Partial<Readonly<Record<Use, boolean | string>>>;
}
export type ClientRecords = Readonly<Record<string, ClientRecord>>;

export const recordsFile = join(import.meta.dirname, "records.json");

export function readRecords(): ClientRecords {
  return existsSync(recordsFile) ? (JSON.parse(readFileSync(recordsFile, "utf8")) as ClientRecords) : {};
}

/**
 * The records after a run of the clients: a client that was run and showed what its record says keeps it, date
 * and all; one that was skipped keeps it too, or has none.
 * @param works of a client that was run, whether a use of it passed, or its figure
 */
export function updatedRecords(
  clients: readonly ProgramClient[],
  works: (client: ProgramClient, use: Use) => boolean | string,
  today: string,
): ClientRecords {
  const recorded = readRecords();
  const entries = clients.map(({ name, ...client }): [string, ClientRecord | undefined] => {
    const before = recorded[name];
    if (client.reason !== undefined) return [name, before];
    const uses = Object.keys(client.checks) as readonly Use[];
    const shown = Object.fromEntries(uses.map((use) => [use, works({ name, ...client }, use)]));
    const isSame = before?.ran === client.ran && JSON.stringify(before.works) === JSON.stringify(shown);
    return [name, isSame ? before : { date: today, ran: client.ran, works: shown }];
  });
  return Object.fromEntries(
    entries.filter((entry): entry is [string, ClientRecord] => entry[1] !== undefined),
  );
}
