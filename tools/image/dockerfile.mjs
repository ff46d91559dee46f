// Reads the Dockerfile: its stages and their instructions, in the forms that ours uses.
// Knows no image and starts nothing; what it cannot read it refuses by its line.
import { SetupFailure } from "../setup/failure.mjs";

// @typedef Instruction { keyword, flags: string[][], text, line }: `flags` are the
// [name, value] pairs of its --name=value words, `text` is what follows them.
// @typedef Stage { name, base, instructions }

// Resolves to { args, stages }: `args` are the defaults of the arguments before FROM.
export function parseDockerfile(text) {
  const args = {};
  const stages = [];
  for (const instruction of instructionsOf(text)) {
    const { keyword, text: rest, line } = instruction;
    if (keyword === "FROM") {
      const [, base, name] = /^(\S+) AS (\S+)$/.exec(rest) ?? [];
      if (name === undefined) throw new SetupFailure(`Dockerfile:${line}: FROM must read "base AS name".`);
      stages.push({ name, base, instructions: [] });
    } else if (stages.length > 0) {
      stages.at(-1).instructions.push(instruction);
    } else {
      Object.assign(args, pairsOf(rest, {}));
    }
  }
  return { args, stages };
}

function instructionsOf(text) {
  const found = [];
  let open;
  for (const [index, written] of text.split("\n").entries()) {
    const bare = written.trim();
    if (bare === "" || bare.startsWith("#")) continue;
    open ??= { line: index + 1, words: "" };
    const continued = bare.endsWith("\\");
    open.words += ` ${continued ? bare.slice(0, -1) : bare}`;
    if (continued) continue;
    found.push(instructionOf(open));
    open = undefined;
  }
  return found;
}

function instructionOf({ line, words }) {
  const [, keyword, all] = /^\s*([A-Z]+)\s+(.*)$/.exec(words) ?? [];
  if (keyword === undefined) throw new SetupFailure(`Dockerfile:${line}: no instruction: ${words}`);
  const flags = [];
  let text = all;
  for (;;) {
    const [whole, name, value] = /^--([a-z-]+)=(\S+)\s+/.exec(text) ?? [];
    if (whole === undefined) return { keyword, flags, text: text.trim(), line };
    flags.push([name, value]);
    text = text.slice(whole.length);
  }
}

// ${NAME} in a text, by its value; a name without one is refused.
export function expand(text, values) {
  return text.replace(/\$\{(\w+)\}/g, (_whole, name) => {
    if (values[name] === undefined) throw new SetupFailure(`the Dockerfile uses ${name} before it is set.`);
    return values[name];
  });
}

// The pairs of ARG, ENV and LABEL: NAME=value NAME="a value".
export function pairsOf(text, values) {
  const pairs = text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g);
  return Object.fromEntries(
    [...pairs].map(([, name, quoted, bare]) => [name, expand(quoted ?? bare, values)]),
  );
}
