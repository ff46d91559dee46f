// docs/cli.md out of commander's definitions and the table of chat commands: each command
// with its arguments, flags and defaults.
import { cell, code, table } from "./tables.mjs";

// `root`: the infernode command; `chatRows`: names and meanings of what is typed in a chat.
export function cliPage({ root, chatRows }) {
  const sections = root.commands.flatMap((command) => [
    [commandSection(command), ...(kMore[command.name()]?.(chatRows) ?? [])].join("\n\n"),
    ...command.commands.map((below) => commandSection(below, `${command.name()} `)),
  ]);
  return `${[opening(), ...sections, exitCodes()].join("\n\n")}\n`;
}

function opening() {
  return `# Command line

Made by \`npm run docs\` from the command line's definitions.

\`npx infernode\` runs the command of an installed package. Alone it shows the first four things to do;
\`infernode --help\` and \`infernode <command> --help\` show what stands here, and \`infernode --version\` prints the
versions of infernode and llama.cpp. Output goes to stdout, and what is said about it (progress, figures, errors) to
stderr. The options behind the flags, with their ranges: [options](options.md).`;
}

// `above`: the command that this one is below, with a space.
function commandSection(command, above = "") {
  const given = command.registeredArguments.map((each) =>
    each.required ? ` <${each.name()}>` : ` [${each.name()}${each.variadic ? "..." : ""}]`,
  );
  const rows = [
    ...command.registeredArguments.map((each) => [code(each.name()), each.description]),
    ...command.options.map((option) => [code(option.flags), option.description + defaultText(option)]),
  ];
  return [
    `## infernode ${above}${command.name()}`,
    `\`infernode ${above}${command.name()}${given.join("")}\`: ${command.description()}.`,
    ...(rows.length > 0 ? [meaningTable(["argument or flag", "meaning"], rows)] : []),
  ].join("\n\n");
}

// Where the description does not tell it.
function defaultText({ defaultValue, negate, description }) {
  if (defaultValue === undefined || negate || /\(default/.test(description)) return "";
  return ` (default: ${defaultValue})`;
}

function meaningTable(head, rows) {
  return table(
    head,
    rows.map(([name, meaning]) => [name, cell(meaning)]),
  );
}

// What commands have besides their flags.
const kMore = {
  chat: (chatRows) => [
    "In a terminal, these are commands and keys; everything else is said to the model:",
    meaningTable(
      ["typed", "meaning"],
      chatRows.map(([typed, meaning]) => [typedCode(typed), meaning]),
    ),
    `When the context is full, the model no longer sees the oldest messages, and the chat says so; \`/save\` still writes
them. A saved conversation is JSON of \`{ model, messages }\`, whose \`messages\` are what \`engine.generate()\` takes.

Without a terminal each line of stdin is a message, and nothing in it is a command. Only the answers go to stdout; a line
that has no answer is reported on stderr, and the exit code is then 1.`,
  ],
  worker: () => localFlags(),
};

// Keys such as Ctrl-C are no code, and a backslash at the line's end is a description.
function typedCode(typed) {
  return /^(?:\/|""")/.test(typed) ? code(typed) : typed;
}

function localFlags() {
  const rows = [
    [
      "--test_input <json>",
      "run one job and print its result; `test_input.json` in the working directory does the same",
    ],
    ["--rp_serve_api", "serve the platform's public API"],
    ["--rp_api_host <host>", "where (default: localhost)"],
    ["--rp_api_port <port>", "where (default: 8000; 0: any that is free)"],
    ["--rp_api_concurrency <count>", "jobs at once (default: the concurrency modifier's)"],
    ["--rp_log_level <level>", "ERROR, WARN, INFO, DEBUG or TRACE (default: INFO)"],
    ["--rp_debugger", "no effect; start the worker with `node --inspect`"],
  ];
  return [
    "Its model and limits come from the [environment](options.md#environment-of-infernode-worker).",
    "Flags of every worker, `infernode worker` and programs that call `serverless.start()`, without a platform:",
    meaningTable(
      ["flag", "meaning"],
      rows.map(([flag, text]) => [code(flag), text]),
    ),
  ];
}

function exitCodes() {
  const rows = [
    ["0", "success; also `infernode worker` after SIGTERM, and a reader of stdout that left early"],
    ["1", "failure: the sentence on stderr ends with an [error's code](errors.md) where it has one"],
    ["2", "wrong usage: an unknown command or flag, or a value that is not allowed"],
    ["130", "interrupted by Ctrl-C"],
    ["143", "ended by SIGTERM, where the command is none that serves"],
  ];
  return `## Exit codes\n\n${meaningTable(["code", "meaning"], rows)}`;
}
