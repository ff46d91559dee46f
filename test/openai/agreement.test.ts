// Fields in combinations that no recorded answer has: a stream says what the whole answer says, choice by
// choice, and lists of one answer are of one length.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, openApi, type Reply } from "./scene.js";

const hookLimitMs = 60_000;
let api: Api;
beforeAll(async () => {
  api = await openApi();
}, hookLimitMs);
afterAll(() => api.close());

type Fields = Readonly<Record<string, unknown>>;

/** Every combination of the values; undefined leaves a field out. */
function combinations(values: Readonly<Record<string, readonly unknown[]>>): readonly Fields[] {
  return Object.entries(values).reduce<readonly Fields[]>(
    (all, [name, each]) =>
      all.flatMap((fields) =>
        each.map((value) => (value === undefined ? fields : { ...fields, [name]: value })),
      ),
    [{}],
  );
}

interface Choice {
  readonly index: number;
  readonly text?: string;
  readonly message?: { readonly role: string; readonly content: string | null };
  readonly delta?: { readonly role?: string; readonly content?: string };
  readonly finish_reason: string | null;
  readonly logprobs: LogProbs | null;
}
interface LogProbs {
  readonly content?: readonly { readonly token: string }[];
  readonly tokens?: readonly string[];
  readonly text_offset?: readonly number[];
  readonly token_logprobs?: readonly unknown[];
  readonly top_logprobs?: readonly unknown[];
}
interface Told {
  readonly choices: readonly Choice[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number };
}

const tokensOf = ({ logprobs }: Choice) =>
  logprobs?.tokens ?? logprobs?.content?.map(({ token }) => token) ?? [];

/** What an answer's choices come to, in whatever pieces they came. */
function summary(pieces: readonly Told[]) {
  const all = pieces.flatMap(({ choices }) => choices);
  const indexes = [...new Set(all.map(({ index }) => index))].sort((a, b) => a - b);
  return indexes.map((index) => {
    const own = all.filter((choice) => choice.index === index);
    return {
      index,
      text: own.map((each) => each.text ?? each.message?.content ?? each.delta?.content ?? "").join(""),
      roles: own.flatMap((each) => each.message?.role ?? each.delta?.role ?? []),
      reasons: own.flatMap(({ finish_reason: reason }) => reason ?? []),
      tokens: own.flatMap(tokensOf),
      offsets: own.flatMap(({ logprobs }) => logprobs?.text_offset ?? []),
    };
  });
}

function lengths({ logprobs }: Choice): ReadonlySet<number> {
  const { tokens, text_offset, token_logprobs, top_logprobs } = logprobs ?? {};
  return new Set([tokens, text_offset, token_logprobs, top_logprobs].map((list) => list?.length ?? 0));
}

async function expectAgreement(ask: (body: Fields) => Promise<Reply>, body: Fields): Promise<void> {
  const whole = await ask(body);
  const streamed = await ask({ ...body, stream: true, stream_options: { include_usage: true } });
  expect([body, whole.status]).toEqual([body, 200]);
  expect([body, streamed.status]).toEqual([body, 200]);
  const told = whole.reply as unknown as Told;
  const pieces = streamed.events as readonly Told[];
  expect([body, summary(pieces)]).toEqual([body, summary([told])]);
  for (const choice of told.choices) expect([body, lengths(choice).size]).toEqual([body, 1]);
  const last = pieces.at(-1);
  expect(last?.choices).toEqual([]);
  expect([body, last?.usage]).toMatchObject([
    body,
    { prompt_tokens: told.usage?.prompt_tokens, completion_tokens: told.usage?.completion_tokens },
  ]);
}

describe("a stream and the whole answer agree", { timeout: 120_000 }, () => {
  it("on completions, whatever is asked for together", async () => {
    const bodies = combinations({
      prompt: ["Once upon a time", ["Once", "The fox"], [10, 20, 30]],
      n: [undefined, 2],
      logprobs: [undefined, 0, 3],
      echo: [undefined, true],
      stop: [undefined, ["e", "."]],
      max_tokens: [1, 12],
      include_stop_str_in_output: [undefined, true],
    });
    expect(bodies).toHaveLength(288);
    for (const body of bodies) await expectAgreement(api.complete, { temperature: 0, seed: 5, ...body });
  });

  it("on chats, whatever is asked for together", async () => {
    const bodies = combinations({
      n: [undefined, 2],
      logprobs: [undefined, true],
      stop: [undefined, ["e"]],
      max_tokens: [1, 12],
      response_format: [undefined, { type: "json_object" }, { type: "text" }],
      echo: [undefined, true],
      return_token_ids: [undefined, true],
    });
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Tell me a story." },
    ];
    for (const body of bodies)
      await expectAgreement(api.chat, { temperature: 0, seed: 5, messages, ...body });
  });
});
