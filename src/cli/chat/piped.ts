// A chat without a terminal: each line of stdin is a message, answers alone go to stdout, and
// nothing in a line is a command, whoever wrote it.
import { createInterface } from "node:readline/promises";
import { InferenceError } from "../../index.js";
import type { AnswerFlags } from "../flags.js";
import { exitCodes, failureText, isOutputOpen, listenForInterruption, notice, print } from "../terminal.js";
import type { Conversation } from "./conversation.js";

/** Runs until stdin ends. @returns the exit code: 1 where a message had no answer */
export async function runPiped(
  conversation: Conversation,
  flags: AnswerFlags,
  showsReasoning: boolean,
): Promise<number> {
  const interruption = listenForInterruption();
  const { signal } = interruption;
  let failed = false;
  let count = 0;
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY, signal });
  for await (const line of lines) {
    if (signal.aborted || !isOutputOpen()) break;
    if (line.trim() === "") continue;
    count += 1;
    if (!(await answer(conversation, line, { flags, showsReasoning, signal }))) failed = true;
  }
  interruption.stop();
  if (interruption.interrupted()) return exitCodes.interrupted;
  if (count === 0 && isOutputOpen()) notice("no message came on stdin; in a terminal, chat asks for them");
  return failed ? exitCodes.failure : exitCodes.ok;
}

interface Answering {
  readonly flags: AnswerFlags;
  readonly showsReasoning: boolean;
  readonly signal: AbortSignal;
}

/** Writes one answer. @returns whether there was one */
async function answer(
  conversation: Conversation,
  line: string,
  { flags, showsReasoning, signal }: Answering,
): Promise<boolean> {
  let last = "";
  const write = (text: string) => {
    if (text !== "") last = text;
    return print(text, signal);
  };
  const listener = { text: write, reasoning: showsReasoning ? write : async () => {} };
  try {
    const { newlyHidden } = await conversation.ask(line, flags, listener, signal);
    if (!last.endsWith("\n")) await print("\n", signal);
    if (newlyHidden > 0)
      notice(`the context is full: the model no longer sees the ${newlyHidden} oldest messages`);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof InferenceError)) throw thrown;
    if (last !== "" && !last.endsWith("\n")) await print("\n", signal);
    if (thrown.code !== "CANCELLED") notice(failureText(thrown));
    return false;
  }
}
