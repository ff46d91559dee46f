// Fields of requests that neither OpenAI nor vLLM defines: each is named once in
// the log and has no effect, or all are refused. Names are the callers' to choose,
// so what is remembered of them is bounded.
import { type OnUnknown, refuseField } from "../openai/fields.js";

const mostNames = 100;
const mostCharacters = 80;

/**
 * @param strict refuse them
 * @param say writes a line of the log
 */
export function unknownFields(strict: boolean, say: (message: string) => void): OnUnknown {
  if (strict) return refuseField;
  const told = new Set<string>();
  return (path) => {
    const name = path.replace(/\[\d+\]/g, "[]").slice(0, mostCharacters);
    if (told.has(name) || told.size > mostNames) return;
    told.add(name);
    const which =
      told.size > mostNames ? "further unknown fields" : `the unknown field ${JSON.stringify(name)}`;
    say(`Ignored ${which} of a request; OPENAI_STRICT_FIELDS=1 refuses such requests.`);
  };
}
