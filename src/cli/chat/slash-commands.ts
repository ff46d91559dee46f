// The commands of a chat: a table of names, what they say of themselves, and what they do.
import { table } from "../format.js";
import { nearest } from "../nearest.js";
import { refusal } from "../terminal.js";
import { saveConversation, typedPath } from "./conversation-file.js";
import type { ChatSession } from "./session.js";
import { statsText } from "./stats-text.js";

/** What a command makes the chat do next. */
export type Next = "go on" | "leave";

interface SlashCommand {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly argument?: string;
  readonly summary: string;
  run(session: ChatSession, argument: string): Next | Promise<Next>;
}

const commands: readonly SlashCommand[] = [
  { name: "help", aliases: ["?"], summary: "show this help", run: help },
  { name: "exit", aliases: ["bye", "quit"], summary: "leave, as Ctrl-D does", run: () => "leave" },
  { name: "clear", summary: "start a new conversation; the system prompt stays", run: clear },
  {
    name: "system",
    argument: "[TEXT]",
    summary: 'show or change the system prompt; "" removes it',
    run: system,
  },
  { name: "retry", summary: "answer the last message again", run: retry },
  { name: "undo", summary: "take back the last message and its answer", run: undo },
  { name: "save", argument: "FILE", summary: "write the conversation to a file, as JSON", run: save },
  { name: "load", argument: "FILE", summary: "continue a saved conversation", run: load },
  {
    name: "set",
    argument: "[OPTION VALUE]",
    summary: "show or change an option; VALUE default resets it",
    run: set,
  },
  { name: "stats", summary: "show tokens, speed and how full the context is", run: stats },
];

/** What begins a command: a slash and one word; /usr/bin is none. */
const commandLine = /^\/([a-z?]*)(?:\s+([\s\S]*))?$/i;

/** Whether a line is a command and no message. */
export function isCommand(line: string): boolean {
  return commandLine.test(line.trim());
}

/** A message as it is meant: two slashes at its beginning stand for one. */
export function messageOf(line: string): string {
  return line.startsWith("//") ? line.slice(1) : line;
}

/** Runs a command's line. @throws InferenceError (rejects) that tells why it did nothing */
export async function runCommand(session: ChatSession, line: string): Promise<Next> {
  const [, word = "", argument = ""] = commandLine.exec(line.trim()) ?? [];
  const name = word.toLowerCase();
  const command = commands.find((each) => each.name === name || each.aliases?.includes(name));
  if (command !== undefined) return command.run(session, argument.trim());
  const meant = nearest(name, names());
  const hint = meant === undefined ? "/help shows the commands" : `did you mean /${meant}?`;
  throw refusal(`there is no command /${word}; ${hint}`);
}

function names(): string[] {
  return commands.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
}

/** What a line may be completed to: a command, or an option of /set. */
export function completions(line: string, options: readonly string[]): readonly string[] {
  const setting = /^\/set\s+(\S*)$/.exec(line);
  const words =
    setting === null ? commands.map(({ name }) => `/${name}`) : options.map((name) => `/set ${name}`);
  return line.startsWith("/") ? words.filter((word) => word.startsWith(line)).map((word) => `${word} `) : [];
}

/** Keys and marks that are no commands. */
const keys = [
  ['"""', "begin and end a message of several lines"],
  ["\\ at a line's end", "continue the message on the next line"],
  ["//", "begin a message with a slash"],
  ["Ctrl-C", "stop the answer, keeping its text; again: leave"],
  ["Ctrl-D", "leave"],
] as const;

/** What is typed, and what it does: commands and keys. */
export function chatRows(): (readonly [string, string])[] {
  const rows = commands.map(({ name, aliases = [], argument, summary }) => {
    const all = [name, ...aliases].map((each) => `/${each}`).join(", ");
    return [argument === undefined ? all : `${all} ${argument}`, summary] as const;
  });
  return [...rows, ...keys];
}

/** The table of commands and keys, for /help and --help. */
export function commandsText(): string {
  return table(chatRows().map(([typed, meaning]) => [`  ${typed}`, meaning]));
}

function help({ screen }: ChatSession): Next {
  screen.lines(`${commandsText()}\n`);
  return "go on";
}

function clear({ conversation, screen }: ChatSession): Next {
  conversation.clear();
  screen.note("new conversation");
  return "go on";
}

function system({ conversation, screen }: ChatSession, text: string): Next {
  if (text === "") {
    screen.note(conversation.system === undefined ? "no system prompt" : `system: ${conversation.system}`);
  } else if (text === '""') {
    conversation.system = undefined;
    screen.note("system prompt removed");
  } else {
    conversation.system = text;
    screen.note("system prompt set, for the answers to come");
  }
  return "go on";
}

async function retry(session: ChatSession): Promise<Next> {
  await session.retry();
  return "go on";
}

function undo({ conversation, screen }: ChatSession): Next {
  const text = conversation.undo().replaceAll("\n", " ");
  screen.note(`taken back: ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`);
  return "go on";
}

async function save({ conversation, screen, modelName }: ChatSession, argument: string): Promise<Next> {
  if (argument === "") throw refusal("/save needs the name of a file");
  if (conversation.stats().messages === 0) throw refusal("there is nothing to save yet");
  const path = typedPath(argument);
  await saveConversation(path, modelName, conversation.messages);
  screen.note(`saved ${conversation.stats().messages} messages to ${path}`);
  return "go on";
}

async function load(session: ChatSession, argument: string): Promise<Next> {
  if (argument === "") throw refusal("/load needs the name of a file");
  await session.load(typedPath(argument));
  return "go on";
}

async function set({ settings, screen, opened }: ChatSession, argument: string): Promise<Next> {
  const [, name = "", value = ""] = /^(\S*)\s*([\s\S]*)$/.exec(argument) ?? [];
  if (name === "") screen.lines(`${table(settings.rows())}\n`);
  else if (value === "") throw refusal(`/set ${name} needs a value; default resets it`);
  else {
    await settings.set(name, value, opened.engine);
    screen.note(`${name}: ${value}`);
  }
  return "go on";
}

function stats({ conversation, opened, screen }: ChatSession): Next {
  screen.lines(`${statsText(conversation.stats(), opened.engine.options.contextLength)}\n`);
  return "go on";
}
