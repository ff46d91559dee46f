// Events of streams that name each of theirs: those of Responses and of Anthropic's Messages.
// Chunks of completions have no name and end with [DONE]; these end with an event of their own.
import { type ApiError, toApiError } from "./api-error.js";

/** An event; `type` is its name. */
export interface NamedEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A stream of them. */
export interface NamedStream {
  readonly type: "events";
  /** Before its first event it throws an ApiError like any other answer. */
  readonly events: AsyncIterable<NamedEvent>;
  /** The last event of a stream that has begun and fails. */
  readonly failed: (error: ApiError) => NamedEvent;
}

/** The event as server-sent text. */
export function eventText(event: NamedEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** The same events; what they throw becomes an ApiError under the names that the request used. */
export async function* withApiErrors(
  events: AsyncIterable<NamedEvent>,
  names: Parameters<typeof toApiError>[1],
): AsyncGenerator<NamedEvent, void, undefined> {
  try {
    yield* events;
  } catch (thrown) {
    throw toApiError(thrown, names);
  }
}
