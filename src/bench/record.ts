// One request of a run as the client saw it, and the figures that follow from it. All times
// are milliseconds of performance.now().

/** What is asked of a model. */
export interface Ask {
  /** A text to go on with, or a conversation. */
  readonly content: { readonly prompt: string } | { readonly messages: readonly AskMessage[] };
  /** Tokens to generate at most, and exactly where ends are ignored. */
  readonly outputTokens: number;
  /** 0 where the answer must be the same each time. */
  readonly temperature: number;
  readonly seed: number;
}

/** When the client cancels a request: after so many of its tokens, or so long after it was sent. */
export type CancelPoint =
  | { readonly type: "tokens"; readonly tokens: number }
  | { readonly type: "time"; readonly ms: number };

/** A request of a workload. */
export interface PlannedAsk extends Ask {
  /** Its number in its conversation, from 1; null: it is in none. */
  readonly turn: number | null;
  /** Null: the client waits for the whole answer. */
  readonly cancelAt: CancelPoint | null;
  /** To be told the answer's text when it has ended; null: it did not finish. */
  readonly answered: (text: string | null) => void;
}

/** A message of a conversation. */
export interface AskMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Token counts as the server or the engine tells them. */
export interface AskUsage {
  readonly promptTokens: number;
  /** Prompt tokens that were not computed anew; null: not told. */
  readonly cachedPromptTokens: number | null;
  readonly completionTokens: number;
}

/** How a request ended. */
export type Outcome =
  | { readonly type: "finished"; readonly finishReason: string }
  | { readonly type: "failed"; readonly errorClass: string; readonly sentence: string }
  | { readonly type: "cancelled" }
  /** By this client, as its workload says; targets tell "cancelled". */
  | { readonly type: "abandoned" };

/** What a target tells of a request when it has ended. */
export interface Ending {
  readonly outcome: Outcome;
  readonly usage: AskUsage | null;
  /** Milliseconds between acceptance and the first computation; null outside this process. */
  readonly queueMs: number | null;
  /** Milliseconds from acceptance to the first token by the engine's own clock; null outside this process. */
  readonly engineFirstTokenMs: number | null;
  readonly text: string;
}

/** What a target tells while a request runs. */
export interface Progress {
  /** The request leaves this process now; a target that does not tell has sent it when it was called. */
  sending?(atMs: number): void;
  /** Text or tokens came. @param tokens how many; null where the server does not say */
  arrived(atMs: number, tokens: number | null): void;
}

/** A request that has ended. */
export interface RequestRecord extends Omit<Ending, "text"> {
  readonly isWarmup: boolean;
  /** As PlannedAsk.turn. */
  readonly turn: number | null;
  /** When it was to be sent: by the schedule; in a closed loop, when the one before it had ended. */
  readonly dueMs: number;
  readonly sentMs: number;
  readonly endMs: number;
  /** When each event with text came, ascending. */
  readonly arrivalsMs: readonly number[];
  /** Tokens that the client counted: of events that say their number, else one an event. */
  readonly clientTokens: number;
}

/** The latencies of one finished request; null where it had too few tokens. */
export interface Latencies {
  readonly ttftMs: number | null;
  readonly arrivalTtftMs: number | null;
  readonly tpotMs: number | null;
  readonly gapsMs: readonly number[];
  readonly endToEndMs: number;
  readonly lastTextMs: number | null;
  readonly userTokensPerSecond: number | null;
}

/** Tokens of the answer: the server's count, or the client's where the server tells none. */
export function outputTokens(record: RequestRecord): number {
  return record.usage?.completionTokens ?? record.clientTokens;
}

/** The formulas stand in fields.ts. */
export function latencies(record: RequestRecord): Latencies {
  const { arrivalsMs, sentMs, dueMs, endMs } = record;
  const first = arrivalsMs[0];
  const last = arrivalsMs.at(-1);
  const later = outputTokens(record) - 1;
  const decodeMs = first === undefined || last === undefined ? 0 : last - first;
  const hasRate = later > 0 && decodeMs > 0;
  return {
    ttftMs: first === undefined ? null : first - sentMs,
    arrivalTtftMs: first === undefined ? null : first - dueMs,
    tpotMs: hasRate ? decodeMs / later : null,
    gapsMs: arrivalsMs.slice(1).map((at, index) => at - (arrivalsMs[index] ?? at)),
    endToEndMs: endMs - sentMs,
    lastTextMs: last === undefined ? null : last - sentMs,
    userTokensPerSecond: hasRate ? (later * 1000) / decodeMs : null,
  };
}
