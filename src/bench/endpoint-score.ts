// An endpoint's log-probabilities of a prompt, by OpenAI's `echo` with `logprobs`, which our server and vLLM have, and
// few others. Asked as lm-eval asks: for one token more, whose entry is cut off, since servers
// refuse to generate none.
import { statusSentence } from "./endpoint-request.js";
import type { Connections, ExchangeEnd } from "./http-exchange.js";
import type { Continuation, Score } from "./target.js";

/** What is asked, apart from the text. */
export interface ScoreSource {
  readonly connections: Connections;
  /** Of /completions. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
}

/** The fields that are read. */
interface CompletionFields {
  readonly choices?: readonly {
    readonly text?: unknown;
    readonly logprobs?: { readonly token_logprobs?: unknown } | null;
  }[];
}

type Answer =
  | { readonly choice: NonNullable<CompletionFields["choices"]>[number] }
  | { readonly reason: string };

const untold = "the endpoint tells no log-probabilities of prompts (/completions with echo and logprobs)";

/** Never rejects. */
export async function endpointScore(source: ScoreSource, text: string, signal: AbortSignal): Promise<Score> {
  const answer = await ask(source, { prompt: text, max_tokens: 1, logprobs: 1, echo: true }, signal);
  if ("reason" in answer) return { type: "none", reason: `${untold}: ${answer.reason}` };
  const { choice } = answer;
  const told = choice.logprobs?.token_logprobs;
  const isEcho = typeof choice.text === "string" && choice.text.startsWith(text);
  if (!isEcho || !Array.isArray(told)) return { type: "none", reason: untold };
  // The first token has no probability, and the last one is generated.
  const logProbs = told.slice(1, -1).map(Number);
  return logProbs.length > 0 ? { type: "scored", logProbs } : { type: "none", reason: untold };
}

/** Never rejects. */
export async function endpointContinuation(
  source: ScoreSource,
  prompt: string,
  tokens: number,
  signal: AbortSignal,
): Promise<Continuation> {
  const answer = await ask(source, { prompt, max_tokens: tokens }, signal);
  if ("reason" in answer) return { type: "none", reason: answer.reason };
  const { text } = answer.choice;
  return typeof text === "string"
    ? { type: "text", text }
    : { type: "none", reason: "the answer has no choices[0].text" };
}

async function ask(
  { connections, url, headers, model }: ScoreSource,
  fields: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<Answer> {
  const body = JSON.stringify({ model, temperature: 0, ...fields });
  const end = await connections.exchange({ method: "POST", url, headers, body, signal });
  return answerOf(end);
}

function answerOf(end: ExchangeEnd): Answer {
  if (end.type === "cancelled") return { reason: "the run was cancelled" };
  if (end.type === "failed") return { reason: end.sentence };
  if (end.status !== 200) return { reason: statusSentence(end.status, end.body) };
  try {
    const { choices } = JSON.parse(end.body) as CompletionFields;
    const [choice] = choices ?? [];
    return choice === undefined ? { reason: "the answer has no choices" } : { choice };
  } catch {
    return { reason: "the answer is no JSON" };
  }
}
