// A generation's text as a web stream, in strings or in UTF-8 bytes. Pulled: an event
// is read when the stream's reader asks for more, so back-pressure reaches the engine.
import type { GenerationEvent } from "./events.js";

/** A web stream that `for await` reads too, as Node's do. */
export type TextStream<Chunk> = ReadableStream<Chunk> & AsyncIterable<Chunk>;

/** What is read. */
export interface TextSource {
  readonly events: () => AsyncIterableIterator<GenerationEvent, void, undefined>;
  /** Called after the last event. @throws where the text was cut short and its reader must know */
  readonly mustBeWhole: () => void;
}

/** The first choice's text. */
export function textStream(source: TextSource): TextStream<string> {
  return pulled(source, (text) => text);
}

/** The first choice's text in UTF-8; each chunk is whole characters. */
export function byteStream(source: TextSource): TextStream<Uint8Array> {
  const encoder = new TextEncoder();
  return pulled(source, (text) => encoder.encode(text));
}

function pulled<Chunk>(source: TextSource, encode: (text: string) => Chunk): TextStream<Chunk> {
  let events: AsyncIterableIterator<GenerationEvent, void, undefined> | undefined;
  const texts = wholeTexts(() => {
    events ??= source.events();
    return events.next();
  });
  const stream = new ReadableStream<Chunk>(
    {
      async pull(controller) {
        const text = await texts.next();
        if (text !== undefined) return controller.enqueue(encode(text));
        source.mustBeWhole();
        controller.close();
      },
      async cancel() {
        events ??= source.events();
        await events.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  return stream as TextStream<Chunk>;
}

/** Texts of the first choice, none empty; half of a surrogate pair waits for the other half. */
function wholeTexts(nextEvent: () => Promise<IteratorResult<GenerationEvent, void>>) {
  let held = "";
  return {
    /** Undefined at the end. */
    async next(): Promise<string | undefined> {
      for (;;) {
        const { done, value: event } = await nextEvent();
        if (done) {
          const rest = held;
          held = "";
          return rest === "" ? undefined : rest;
        }
        if (event.type !== "text-delta" || event.choiceIndex !== 0) continue;
        const text = held + event.text;
        held = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : "";
        const whole = text.slice(0, text.length - held.length);
        if (whole !== "") return whole;
      }
    },
  };
}
