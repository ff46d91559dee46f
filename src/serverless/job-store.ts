// What keeps jobs beyond the process that accepted them. A job is in it before its caller
// hears that it was accepted, it has begun there before its handler runs, and its end is there
// before anybody sees it: a process that dies at any moment owes nobody anything that is not there.
import type { JobTimes, LocalStatus } from "./local-job.js";

/** A job as it is accepted. Times of day are milliseconds since 1970. */
export interface AcceptedJob {
  readonly id: string;
  /** The body of its request, as JSON text. */
  readonly request: string;
  /** Bytes of that body. */
  readonly bytes: number;
  readonly times: JobTimes;
  readonly createdAt: number;
  /** When it is deleted, whatever it does then. */
  readonly ttlAt: number;
}

/** How a job ended. */
export interface JobEnding {
  readonly status: LocalStatus;
  /** Undefined: it ended without being run. */
  readonly startedAt: number | undefined;
  readonly endedAt: number;
  /** When it is deleted. */
  readonly deleteAt: number;
  /** The result's body as JSON text; undefined: it has none. */
  readonly result: string | undefined;
  /** Streamed items as JSON texts, and how many of them a caller has had. */
  readonly items: readonly string[];
  readonly given: number;
  readonly isStream: boolean;
  /** Whether its request is kept, so that it can be run again. */
  readonly keepsRequest: boolean;
  /** Whether its webhook is to be told. */
  readonly owesWebhook: boolean;
}

/** A job as it is found again. */
export interface StoredJob extends Omit<AcceptedJob, "request"> {
  readonly status: LocalStatus;
  /** Undefined: it has ended and cannot be run again. */
  readonly request: string | undefined;
  readonly webhook: string | undefined;
  readonly deleteAt: number;
  /** How many times it was begun before. */
  readonly retries: number;
  /** How many processes died while they ran it, since its caller asked for it. */
  readonly deaths: number;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly workerId: string | undefined;
  readonly result: string | undefined;
  readonly items: readonly string[];
  readonly given: number;
  readonly isStream: boolean;
}

/** Each promise resolves when it is on the disk, and rejects with a StoreFailure. */
export interface JobStore {
  accept(job: AcceptedJob, webhook: string | undefined): Promise<void>;
  started(id: string, workerId: string): Promise<void>;
  ended(id: string, ending: JobEnding): Promise<void>;
  /** A job that has ended waits again, behind the others. */
  again(id: string): Promise<void>;
  /** To be deleted at this time, in place of what was said before. */
  keepUntil(id: string, at: number): Promise<void>;
  find(id: string): Promise<StoredJob | undefined>;
  /** Callers have had so many of its items. */
  gave(id: string, count: number): void;
  /** Its webhook was told, or is given up. */
  told(id: string): void;
  remove(id: string): void;
}

/** The disk did not take something, or could not be read. The message says why. */
export class StoreFailure extends Error {
  override readonly name = "StoreFailure";
}
