// Server-sent events as text, which is how jobs stream them: recognised, split between
// events, and the events that tell a stream's reader of a failure. Through /openai a
// reader sees nothing but the streamed events, so a job's error must be among them.
import { asFlag } from "../flag.js";
import { errorObjectOf } from "./results.js";

/** The event that ends a stream of OpenAI's. */
const endEvent = "data: [DONE]\n\n";

/**
 * What a failed job's reader is told last, as vLLM tells it; undefined where the stream has
 * ended for it.
 * @param error the job's error
 * @param last the text that was streamed last, which may break off within an event
 */
export function failureEvents(error: string, last = ""): string | undefined {
  if (last.endsWith(endEvent)) return undefined;
  const gap = last === "" || last.endsWith("\n\n") ? "" : "\n\n";
  return `${gap}${failureEvent(error)}${endEvent}`;
}

/** The event that tells of a failure in the middle of a stream. */
export function failureEvent(error: string): string {
  return `data: ${JSON.stringify({ error: errorObjectOf(error) })}\n\n`;
}

/** Whether a job's input is a call of /openai whose answer is streamed. */
export function asksForEvents(input: unknown): boolean {
  const { openai_input: call } = Object(input) as { readonly openai_input?: unknown };
  return asFlag((Object(call) as { readonly stream?: unknown }).stream) === true;
}

/** Whether a text is of whole server-sent events. */
export function isEvents(text: unknown): text is string {
  return typeof text === "string" && text.endsWith("\n\n") && /^(?:data|event|id|retry|):/.test(text);
}

/** Events in two parts of whole events; one event has no halves. */
export function halves(events: string): readonly string[] {
  const single = events.split(/(?<=\n\n)/);
  if (single.length < 2) return [];
  const middle = Math.ceil(single.length / 2);
  return [single.slice(0, middle).join(""), single.slice(middle).join("")];
}

/** Pieces of whole events, each of at most `itemBytes` bytes where its events are. */
export function splitEvents(text: string, itemBytes: number): readonly string[] {
  if (Buffer.byteLength(text) <= itemBytes) return [text];
  const pieces: string[] = [];
  let piece = "";
  let bytes = 0;
  for (const event of text.split(/(?<=\n\n)/)) {
    const length = Buffer.byteLength(event);
    if (bytes > 0 && bytes + length > itemBytes) {
      pieces.push(piece);
      piece = "";
      bytes = 0;
    }
    piece += event;
    bytes += length;
  }
  return bytes > 0 ? [...pieces, piece] : pieces;
}
