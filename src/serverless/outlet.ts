// Where a running job's words go: to the platform through its Outbox, or to the
// person who runs it locally.
import type { Receipt } from "./delivery.js";

export interface Outlet {
  /** Whether the result is that of a generator. */
  isStream: boolean;
  /** JSON texts of the streamed items, for the aggregate. */
  readonly posted: readonly string[];
  /** Says which items did not arrive, and why; undefined where all did. */
  readonly lost: string | undefined;
  /** Shows a value as the output so far. @throws TypeError for a value that is no JSON */
  progress(value: unknown): void;
  /** Resolves when the next item may be made. @throws TypeError for an item that is no JSON */
  item(value: unknown): Promise<void>;
  /** Resolves when all items are sent. */
  flush(): Promise<void>;
  /** Drops items and progress that are not sent: the process is to end, and the result must be. */
  hurry(): void;
  /**
   * Takes the result, and nothing after it.
   * @param body the whole JSON text
   * @param lastEvents server-sent events for the stream's reader, who does not see the result
   */
  finish(body: string, lastEvents?: string): Promise<Receipt>;
  /** Drops what is not sent, and takes nothing more. */
  discard(): void;
}
