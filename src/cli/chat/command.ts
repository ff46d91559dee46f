// `infernode chat`: opens a model and talks with it, in a terminal or line by line.
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { Command } from "commander";
import { chatTemplateNames } from "../../chat/templates.js";
import { InferenceError } from "../../index.js";
import { messageOfThrown } from "../../thrown.js";
import { type AnswerFlags, answerFlags, type ModelFlags, modelFlags, modelForms } from "../flags.js";
import { LoadingLine } from "../loading-line.js";
import { type OpenedModel, openModel } from "../opened-model.js";
import { exitCodes, listenForInterruption, notice, refusal } from "../terminal.js";
import { Conversation } from "./conversation.js";
import { loadConversation, typedPath } from "./conversation-file.js";
import { historyPath, InputHistory } from "./input-history.js";
import { LineInput } from "./line-input.js";
import { MessageInput } from "./message-input.js";
import { runPiped } from "./piped.js";
import { Screen } from "./screen.js";
import { ChatSession } from "./session.js";
import { judgeAnswerFlags, Settings } from "./settings.js";
import { commandsText, completions } from "./slash-commands.js";

type Flags = ModelFlags &
  AnswerFlags & {
    readonly model?: string;
    readonly system?: string;
    readonly chatTemplate?: string;
    readonly load?: string;
    readonly history: boolean;
    readonly reasoning?: boolean;
  };

/** The command; it sets the process's exit code. */
export function chatCommand(): Command {
  const command = new Command("chat")
    .description("chat with a model")
    .argument("[model]", `${modelForms} (default: the small story model in the package)`)
    .option("-m, --model <model>", "the model, instead of the argument")
    .option("--system <text>", "system prompt: instructions that precede all messages")
    .option("--load <file>", "continue a conversation that /save wrote")
    .option(
      "--chat-template <name>",
      `${chatTemplateNames.join(", ")} or a Jinja file (default: the model's own)`,
    );
  for (const flag of answerFlags()) command.addOption(flag);
  for (const flag of modelFlags()) command.addOption(flag);
  return command
    .option("--reasoning", "show the model's thoughts (default: in a terminal only)")
    .option("--no-reasoning", "hide the model's thoughts")
    .option("--no-history", "keep typed messages out of the history file")
    .addHelpText("after", helpText)
    .action(async (model: string | undefined, flags: Flags) => {
      process.exitCode = await chat(model, flags);
    });
}

function helpText(): string {
  return `
In a terminal:
${commandsText()}

  The arrow keys recall typed messages, also those of earlier chats, which are kept in
  $XDG_STATE_HOME/infernode/chat-history (~/.local/state by default).

Without a terminal each line of stdin is a message, and only the answers go to stdout:
  printf 'Who are you?\\nTell me a story.\\n' | infernode chat`;
}

async function chat(argument: string | undefined, flags: Flags): Promise<number> {
  const path = modelPath(argument, flags.model);
  if (path === undefined) notice("no model given, using the embedded story model");
  const opened = await open(path, flags);
  if (opened === undefined) return exitCodes.interrupted;
  try {
    return await talk(opened, path, flags);
  } finally {
    await opened.close();
  }
}

function modelPath(argument: string | undefined, flag: string | undefined): string | undefined {
  if (argument === undefined || flag === undefined) return argument ?? flag;
  throw refusal("give the model as an argument or as --model, not both");
}

/** Opens the model and shows how far that is. @returns undefined after Ctrl-C */
async function open(path: string | undefined, flags: Flags): Promise<OpenedModel | undefined> {
  const interruption = listenForInterruption();
  const loading = new LoadingLine(path === undefined ? "the story model" : basename(path));
  try {
    return await openModel(path, flags, {
      signal: interruption.signal,
      onProgress: (fraction) => loading.show(fraction),
      chatTemplate: templateOf(flags.chatTemplate),
    });
  } catch (thrown) {
    if (interruption.interrupted()) return undefined;
    throw thrown;
  } finally {
    loading.erase();
    interruption.stop();
  }
}

/** A template's name as it is; of a file, its text. */
function templateOf(given: string | undefined): string | undefined {
  if (given === undefined || !existsSync(given)) return given;
  try {
    return readFileSync(given, "utf8");
  } catch (thrown) {
    throw refusal(`--chat-template cannot be read: ${messageOfThrown(thrown)}`);
  }
}

async function talk(opened: OpenedModel, path: string | undefined, flags: Flags): Promise<number> {
  const answers = answerFlagsOf(flags);
  await judgeAnswerFlags(opened.engine, answers);
  await refuseWithoutTemplate(opened);
  const conversation = new Conversation(opened.model, opened.engine, flags.system);
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY;
  const { reasoning: showsReasoning = isTerminal } = flags;
  if (!isTerminal) {
    if (flags.load !== undefined) conversation.replace(await loadConversation(typedPath(flags.load)));
    return runPiped(conversation, answers, showsReasoning);
  }
  const settings = new Settings(answers);
  const screen = new Screen(hasColors());
  const modelName = opened.model.info.name || basename(path ?? "");
  const parts = { opened, modelName, conversation, settings, screen, showsReasoning };
  return inTerminal(new ChatSession(parts), flags);
}

async function inTerminal(session: ChatSession, { history: isKept, load }: Flags): Promise<number> {
  const { screen, settings, opened, modelName } = session;
  const history = new InputHistory(isKept ? historyPath() : undefined, (error) =>
    screen.note(`typed messages are not remembered: ${error.message}`),
  );
  screen.note(
    `${modelName}, ${opened.engine.options.contextLength} tokens of context; /help shows the commands`,
  );
  if (load !== undefined) await session.load(typedPath(load));
  const lines = new LineInput(history.read(), (line) => completions(line, settings.names));
  try {
    return await session.run(new MessageInput(lines, history));
  } finally {
    lines.close();
  }
}

function answerFlagsOf(flags: Flags): AnswerFlags {
  const names = new Set(answerFlags().map((option) => option.attributeName()));
  return Object.fromEntries(Object.entries(flags).filter(([name]) => names.has(name)));
}

/** A chat that could not answer anything ends before it begins. */
async function refuseWithoutTemplate({ model }: OpenedModel): Promise<void> {
  try {
    await model.renderChat([{ role: "user", content: "Hello" }]);
  } catch (thrown) {
    if (!(thrown instanceof InferenceError) || thrown.code === "CHAT_TEMPLATE_FAILED") return;
    if (thrown.code !== "CHAT_TEMPLATE_MISSING") throw thrown;
    throw new InferenceError(
      thrown.code,
      "the model has no chat template; name one (--chat-template chatml), or continue a text with infernode generate",
    );
  }
}

function hasColors(): boolean {
  return !process.env.NO_COLOR && process.env.TERM !== "dumb";
}
