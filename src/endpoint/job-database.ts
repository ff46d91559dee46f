// The jobs of a server in one SQLite file: its table and its statements. Runs in the store's
// thread. The file is locked for as long as it is open, by a lock that the system releases when
// the process dies; its write-ahead log is on the disk before a transaction has ended.
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type Database from "libsql";
import type { AcceptedJob, JobEnding, StoredJob } from "../serverless/job-store.js";
import type { LocalStatus } from "../serverless/local-job.js";

type Connection = InstanceType<typeof Database>;
type Row = Readonly<Record<string, string | number | null>>;

/** Of the table; another one is refused. */
const formatVersion = 2;
const fileName = "jobs.db";

/** Long texts stand last: what is before them is read without them. */
const table = `
CREATE TABLE jobs(
  position INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  execution_ms REAL NOT NULL,
  kept_ms REAL NOT NULL,
  ttl_ms REAL NOT NULL,
  created_at REAL NOT NULL,
  ttl_at REAL NOT NULL,
  delete_at REAL NOT NULL,
  retries INTEGER NOT NULL DEFAULT 0,
  started_at REAL,
  ended_at REAL,
  worker_id TEXT,
  webhook TEXT,
  owes_webhook INTEGER NOT NULL DEFAULT 0,
  is_stream INTEGER NOT NULL DEFAULT 0,
  given INTEGER NOT NULL DEFAULT 0,
  deaths INTEGER NOT NULL DEFAULT 0,
  request TEXT,
  result TEXT,
  items TEXT
);
CREATE INDEX jobs_unfinished ON jobs(position) WHERE ended_at IS NULL;
CREATE INDEX jobs_owing ON jobs(position) WHERE owes_webhook = 1;
CREATE INDEX jobs_to_delete ON jobs(delete_at) WHERE ended_at IS NOT NULL;
PRAGMA user_version = ${formatVersion};`;

/** What makes a table of format 1 one of format 2. */
const fromFormat1 = `
ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = ${formatVersion};`;

/** What a database is asked for, by name. */
export interface Statements {
  accept(job: AcceptedJob, webhook: string | undefined): void;
  started(id: string, workerId: string): void;
  ended(id: string, ending: JobEnding): void;
  again(id: string): void;
  keepUntil(id: string, at: number): void;
  find(id: string): StoredJob | undefined;
  gave(id: string, count: number): void;
  told(id: string): void;
  remove(id: string): void;
  /** Jobs that have not ended, in their order. */
  unfinished(): readonly StoredJob[];
  /** Ids of jobs whose webhooks are to be told. */
  owing(): readonly string[];
  /** Deletes jobs whose time is over. */
  sweep(now: number): void;
}

export class JobDatabase {
  readonly #connection: Connection;
  readonly statements: Statements;

  /**
   * Makes the folder and the file where they are not there, for this user alone. Jobs that had begun
   * when the process died wait again and have one retry and one death more.
   * @param now milliseconds since 1970 @throws Error with a code of SQLite's or the system's, or one sentence
   */
  constructor(Sqlite: typeof Database, folder: string, now: number) {
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    const file = join(folder, fileName);
    closeSync(openSync(file, "a", 0o600)); // SQLite gives its other files the mode of this one
    this.#connection = new Sqlite(file);
    this.#lock();
    this.#judgeFormat(folder);
    this.statements = statementsOf(this.#connection);
    this.transaction(() => {
      this.#connection.prepare("DELETE FROM jobs WHERE delete_at <= ?").run(now);
      this.#connection.exec(
        "UPDATE jobs SET status = 'IN_QUEUE', retries = retries + 1, deaths = deaths + 1, worker_id = NULL WHERE status = 'IN_PROGRESS'",
      );
    });
  }

  /** All of it, or nothing. */
  transaction<Result>(work: () => Result): Result {
    const connection = this.#connection;
    connection.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      connection.exec("COMMIT");
      return result;
    } catch (thrown) {
      if (connection.inTransaction) connection.exec("ROLLBACK");
      throw thrown;
    }
  }

  /** Jobs that run now wait for the next process, and have one retry more. */
  close(): void {
    this.#connection.exec(
      "UPDATE jobs SET status = 'IN_QUEUE', retries = retries + 1, worker_id = NULL WHERE status = 'IN_PROGRESS'",
    );
    this.#connection.pragma("wal_checkpoint(TRUNCATE)");
    this.#connection.close();
  }

  #lock(): void {
    this.#connection.pragma("locking_mode = EXCLUSIVE");
    this.#connection.pragma("journal_mode = WAL");
    this.#connection.pragma("synchronous = FULL");
    this.#connection.pragma("temp_store = MEMORY");
    this.#connection.exec("BEGIN EXCLUSIVE; COMMIT"); // fails where another process has it
  }

  #judgeFormat(folder: string): void {
    const { user_version: found } = this.#connection.prepare("PRAGMA user_version").get() as {
      readonly user_version: number;
    };
    if (found === 0) this.transaction(() => this.#connection.exec(table));
    else if (found === 1) this.transaction(() => this.#connection.exec(fromFormat1));
    else if (found !== formatVersion) {
      throw new Error(
        `${folder} has jobs in format ${found}, and this version reads format ${formatVersion}: ` +
          "use the version of infernode that wrote them, or another folder",
      );
    }
  }
}

function statementsOf(connection: Connection): Statements {
  const run = (sql: string) => {
    const statement = connection.prepare(sql);
    return (...values: (string | number | null)[]) => void statement.run(...values);
  };
  const accept = run(
    `INSERT INTO jobs(position, id, status, bytes, execution_ms, kept_ms, ttl_ms, created_at, ttl_at, delete_at, webhook, request)
     VALUES((SELECT coalesce(max(position), 0) + 1 FROM jobs), ?, 'IN_QUEUE', ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const ended = run(
    `UPDATE jobs SET status = ?, started_at = ?, ended_at = ?, delete_at = ?, is_stream = ?, given = ?, owes_webhook = ?, result = ?, items = ?,
     request = iif(?, request, NULL) WHERE id = ?`,
  );
  const find = connection.prepare("SELECT * FROM jobs WHERE id = ?");
  const unfinished = connection.prepare("SELECT * FROM jobs WHERE ended_at IS NULL ORDER BY position");
  const owing = connection.prepare("SELECT id FROM jobs WHERE owes_webhook = 1 ORDER BY position");
  return {
    accept({ id, bytes, times, createdAt, ttlAt, request }, webhook = "") {
      const { executionMs, keptMs, ttlMs } = times;
      accept(id, bytes, executionMs, keptMs, ttlMs, createdAt, ttlAt, ttlAt, webhook || null, request);
    },
    ended(id, { status, startedAt, endedAt, deleteAt, isStream, given, owesWebhook, ...kept }) {
      const { result, items, keepsRequest } = kept;
      const flags = [isStream, owesWebhook, keepsRequest].map(Number) as [number, number, number];
      const texts = [result ?? null, items.length === 0 ? null : JSON.stringify(items)] as const;
      ended(status, startedAt ?? null, endedAt, deleteAt, flags[0], given, flags[1], ...texts, flags[2], id);
    },
    started: swapped(run("UPDATE jobs SET status = 'IN_PROGRESS', worker_id = ? WHERE id = ?")),
    again: run(
      `UPDATE jobs SET position = (SELECT max(position) + 1 FROM jobs), status = 'IN_QUEUE', retries = retries + 1,
       deaths = 0, started_at = NULL, ended_at = NULL, worker_id = NULL, delete_at = ttl_at, owes_webhook = 0, given = 0, result = NULL,
       items = NULL WHERE id = ?`,
    ),
    keepUntil: (id, at) =>
      void connection
        .prepare("UPDATE jobs SET ttl_at = ?, delete_at = ?, kept_ms = ? WHERE id = ?")
        .run(at, at, Number.MAX_SAFE_INTEGER, id),
    gave: swapped(run("UPDATE jobs SET given = ? WHERE id = ?")),
    told: run("UPDATE jobs SET owes_webhook = 0 WHERE id = ?"),
    remove: run("DELETE FROM jobs WHERE id = ?"),
    sweep: run("DELETE FROM jobs WHERE ended_at IS NOT NULL AND delete_at <= ?"),
    find: (id) => storedOf(find.get(id) as Row | undefined),
    unfinished: () => unfinished.all().flatMap((row) => storedOf(row as Row) ?? []),
    owing: () => owing.all().map((row) => String((row as Row).id)),
  };
}

/** For statements whose last value is the id. */
function swapped<Values extends (string | number)[]>(run: (...values: (string | number)[]) => void) {
  return (id: string, ...values: Values) => run(...values, id);
}

function storedOf(row: Row | undefined): StoredJob | undefined {
  if (row === undefined) return undefined;
  const text = (name: string) => (row[name] === null ? undefined : String(row[name]));
  const number = (name: string) => Number(row[name]);
  const time = (name: string) => (row[name] === null ? undefined : number(name));
  return {
    id: String(row.id),
    status: String(row.status) as LocalStatus,
    bytes: number("bytes"),
    times: { executionMs: number("execution_ms"), keptMs: number("kept_ms"), ttlMs: number("ttl_ms") },
    createdAt: number("created_at"),
    ttlAt: number("ttl_at"),
    deleteAt: number("delete_at"),
    retries: number("retries"),
    deaths: number("deaths"),
    startedAt: time("started_at"),
    endedAt: time("ended_at"),
    workerId: text("worker_id"),
    webhook: text("webhook"),
    request: text("request"),
    result: text("result"),
    items: JSON.parse(text("items") ?? "[]") as readonly string[],
    given: number("given"),
    isStream: row.is_stream === 1,
  };
}
