// The object of an answer that is JSON: parsed, and judged where a library's schema was
// given.
import type { WrittenSchema } from "../constraints/output-schema.js";
import { InferenceError } from "../errors.js";
import { issuesText } from "../standard-schema.js";
import { messageOfThrown } from "../thrown.js";
import { parsedJson } from "../well-formed.js";
import type { GenerateChoice, ObjectChoice } from "./events.js";

/** Who judges an answer; undefined where any JSON will do. */
export type OutputJudge = WrittenSchema["judge"];

/**
 * The choices with their objects.
 * @throws InferenceError (rejects) OUTPUT_INVALID with the text of the first that has none
 */
export function withObjects(
  choices: readonly GenerateChoice[],
  judge: OutputJudge,
): Promise<ObjectChoice<unknown>[]> {
  return Promise.all(
    choices.map(async (choice) => {
      const json = completeJson(choice);
      if (judge === undefined) return { ...choice, object: json };
      const refuse = (sentence: string, cause?: unknown) => {
        const place = choices.length > 1 ? `choices[${choice.index}]: ` : "";
        return new InferenceError("OUTPUT_INVALID", `generate(): ${place}${sentence}`, {
          text: choice.text,
          ...(cause !== undefined && { cause }),
        });
      };
      if (json === undefined) throw refuse(incomplete(choice));
      const verdict = await judged(judge, json, refuse);
      if ("value" in verdict) return { ...choice, object: verdict.value };
      const problem = `the schema refuses the answer (${verdict.complaint})`;
      throw refuse(`${problem}; generate again, or say in the prompt what is demanded`, verdict.issues);
    }),
  );
}

/** The JSON of an answer; undefined where it was cut short. Of a number more digits may have come. */
function completeJson({ text, finishReason }: GenerateChoice): unknown {
  const json = parsedJson(text);
  return typeof json === "number" && finishReason !== "stop" ? undefined : json;
}

function incomplete({ finishReason, tokens }: GenerateChoice): string {
  switch (finishReason) {
    case "length":
      return (
        `the answer was cut after ${tokens.length} tokens, before its JSON was complete; raise maxTokens or ` +
        "the engine's contextLength, and bound strings and arrays in the schema"
      );
    case "cancelled":
      return "the generation was cancelled before its JSON was complete";
    default:
      return "the answer ended before its JSON was complete; leave out stop and stopTokens";
  }
}

/** What a schema makes of an answer, or what it complains of. */
type Judgement = { readonly value: unknown } | { readonly complaint: string; readonly issues: unknown };

async function judged(
  judge: NonNullable<OutputJudge>,
  json: unknown,
  refuse: (sentence: string, cause: unknown) => InferenceError,
): Promise<Judgement> {
  try {
    // Written by anybody: reading the verdict may throw as well as asking for it.
    const verdict = await judge(json);
    if (!verdict.issues) return { value: verdict.value };
    return { complaint: issuesText(verdict.issues, "the whole"), issues: verdict.issues };
  } catch (thrown) {
    throw refuse(`the schema threw while it judged the answer: ${messageOfThrown(thrown)}`, thrown);
  }
}
