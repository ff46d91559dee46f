// One cell of the matrix: its tools, its work, its outcome. Owns the counts.
import path from "node:path";
import { say } from "../setup/steps.mjs";
import { runThere } from "./consumer.mjs";
import { kTools, tool } from "./tools.mjs";

export const counts = { passed: 0, failed: 0, skipped: 0 };

export async function cell(name, tools, work) {
  const found = {};
  for (const each of tools) {
    found[each] = await tool(each);
    if (found[each] !== null) continue;
    return skip(name, `${kTools[each][0]} cannot be fetched`);
  }
  try {
    const remark = await work(found);
    counts.passed += 1;
    say(`passed: ${name}${remark === undefined ? "" : `: ${remark}`}`);
  } catch (thrown) {
    counts.failed += 1;
    say(`FAILED: ${name}: ${thrown.message}`);
  }
}

export function skip(name, reason) {
  counts.skipped += 1;
  say(`skipped: ${name}: ${reason}`);
}

export function demand(holds, sentence) {
  if (!holds) throw new Error(sentence);
}

export async function succeeds(consumer, command, args, extra) {
  const { code, stdout, stderr } = await runThere(consumer, command, args, extra);
  demand(
    code === 0,
    `${path.basename(command)} ${args.join(" ")} exits ${code}: ${(stderr + stdout).slice(-1500)}`,
  );
  return stdout;
}

export const kStory = /^, a little boy /;

export async function generates(consumer, node, args = [], env = {}) {
  for (const program of ["run.mjs", "run.cjs"]) {
    const { story, chat } = JSON.parse(await succeeds(consumer, node, [...args, program], env));
    demand(kStory.test(story) && chat.length > 0, `${program} says ${JSON.stringify({ story, chat })}`);
  }
  for (const program of ["openai.mjs", "openai.cjs"]) {
    const said = await succeeds(consumer, node, [...args, program], env);
    demand(said === "200\n", `${program} says ${said}`);
  }
}
