// One group of plan.mjs: its contenders are started one after another and stay, the idle ones
// asleep, while they take turns at each workload (rounds.mjs). A contender that cannot be had, fails, or does
// other work than asked is told with its reason; the others are measured without it.
import { BenchFailure } from "../failure.mjs";
import { medianOf, medianRatio, runRounds } from "../rounds.mjs";
import { contenders } from "./contenders.mjs";
import { memoryOfTree } from "./memory.mjs";
import { barsOf } from "./plan.mjs";
import { agreementOf, greedyChoices } from "./texts.mjs";
import { ensureWeights, familyOf, titleOf } from "./weights.mjs";
import {
  isPrompt,
  judgeWork,
  kTextPrompt,
  kTextTokens,
  promptSource,
  shortened,
  speedOf,
} from "./workloads.mjs";

// Resolves to the group's result, which `onProgress` gets after each workload too. `setting` is
// { store, programs, isa, native, threads, rounds, patience, startMs, isQuick, machine, deadline },
// the last one in performance.now()'s milliseconds: no workload begins after it.
export async function measureGroup(group, setting, onProgress) {
  const workloads = setting.isQuick ? group.workloads.map(shortened) : group.workloads;
  const result = begun(group, setting);
  const members = group.of.map((each, index) => memberOf(each, index));
  try {
    for (const member of members) await attempt(member, () => startMember(member, workloads, setting));
    const model = await modelOf(members);
    result.texts = await agreements(members, model, setting.threads);
    const nextPrompts = promptSource(model);
    const bars = setting.isQuick ? [] : barsOf(group, setting);
    for (const [index, workload] of workloads.entries()) {
      if (performance.now() > setting.deadline)
        throw new BenchFailure(`stopped before "${workload.title}": time is up.`);
      const bar = bars[index];
      result.workloads.push(await measureWorkload({ group, members, workload, bar, nextPrompts }, setting));
      describe(result, members);
      onProgress(result);
    }
    result.isComplete = true;
  } catch (error) {
    if (!(error instanceof BenchFailure)) throw error;
    result.failure = error.message;
  } finally {
    for (const member of members) await member.running?.stop().catch(() => {});
  }
  describe(result, members);
  onProgress(result);
  return result;
}

function begun(group, { machine, threads, rounds, isQuick, isa }) {
  const date = new Date().toISOString().slice(0, 10);
  const facts = { id: group.id, date, machine, threads, rounds, isQuick, isComplete: false };
  return { ...facts, ...(isa === undefined ? {} : { isa }), workloads: [], texts: [], contenders: [] };
}

function memberOf({ contender, weights }, index) {
  const kind = contenders[contender];
  return { name: `${kind.title}, ${titleOf(weights)}`, kind, weights, index };
}

// What fails is written down; a mistake of this program is thrown.
async function attempt(member, work) {
  if (member.failure !== undefined) return undefined;
  try {
    return await work();
  } catch (error) {
    if (error instanceof TypeError || error instanceof ReferenceError) throw error;
    member.failure = error.message;
    process.stderr.write(`${member.name} is left out: ${error.message}\n`);
    return undefined;
  }
}

async function startMember(member, workloads, setting) {
  const { kind, weights } = member;
  if (setting.isa !== undefined && kind.isOurs !== true && kind.isRestrictable !== true) {
    throw new BenchFailure(`${kind.title} cannot be restricted to ${setting.isa}.`);
  }
  const facts = await ensureWeights(weights, setting.store, setting.programs);
  await kind.prepare?.(setting);
  const task = {
    model: facts.file,
    slots: Math.max(...workloads.map(({ requests }) => requests)),
    contextLength: Math.max(...workloads.map(({ promptTokens, newTokens }) => promptTokens + newTokens)) + 16,
    threads: setting.threads,
  };
  member.facts = facts;
  member.running = await kind.start(setting, task);
  member.version = await kind.version(setting);
  if (member.running.run === undefined) return;
  const answer = await member.running.run([kTextPrompt], kTextTokens);
  member.text = answer.texts[0];
}

// Peers' texts beside our choices with the first weights. Those of one family must agree: what a
// group's contenders of different kinds read are the same numbers.
async function agreements([first, ...others], model, threads) {
  const peers = others.filter(({ text, kind }) => text !== undefined && kind !== first.kind);
  if (first.text === undefined || peers.length === 0) return [];
  const choices = await greedyChoices(model, kTextPrompt, kTextTokens, threads);
  return peers.map((peer) => ({
    ours: first.name,
    peer: peer.name,
    ...agreementOf(choices, peer.text),
    mustAgree: first.facts.isTrained && familyOf(first.weights) === familyOf(peer.weights),
  }));
}

// The first weights that are a file, whose tokenizer is that of all members.
async function modelOf(members) {
  const file = members.find(({ facts }) => facts?.file.endsWith(".gguf"))?.facts.file;
  if (file === undefined) throw new BenchFailure("No contender could be started.");
  const { loadModel } = await import("../../../dist/index.js");
  return loadModel(file, { gpuLayers: 0 });
}

async function measureWorkload({ group, members, workload, bar, nextPrompts }, setting) {
  const prompts = Array.from({ length: setting.rounds }, () => nextPrompts(workload));
  const warmUp = nextPrompts(isPrompt(workload) ? workload : shortened(workload));
  for (const member of members) await attempt(member, () => warm(member, workload, warmUp));
  const able = members.filter(({ failure }) => failure === undefined);
  const turns = able.map((member) => ({
    name: member.name,
    measure: (round) => attempt(member, () => speedAt(member, workload, prompts[round])),
  }));
  const { results, busiest } = await runRounds(turns, setting);
  return {
    ...workload,
    busiest,
    rounds: results,
    medians: mediansOf(able, results),
    ratios: ratiosOf(group, able, results, bar),
  };
}

async function warm({ running }, workload, prompts) {
  if (running.run !== undefined) await running.run(prompts[0], isPrompt(workload) ? 1 : 8);
}

async function speedAt(member, workload, prompts) {
  const answers = await answersOf(member.running, workload, prompts);
  for (const answer of answers) judgeWork(member.name, workload, answer);
  member.memoryBytes = member.running.pid === undefined ? undefined : memoryOfTree(member.running.pid);
  return speedOf(workload, answers);
}

async function answersOf(running, workload, prompts) {
  if (running.measure !== undefined) return running.measure(workload);
  const answers = [];
  for (const together of prompts) answers.push(await running.run(together, workload.newTokens));
  return answers;
}

const speed = (figure) => figure;

function mediansOf(members, results) {
  const whole = members.filter(({ failure }) => failure === undefined);
  return Object.fromEntries(whole.map(({ name }) => [name, medianOf(results, name, speed)]));
}

// Ours over each peer; where there is no peer, each other one over the first.
function ratiosOf({ isReversed = false }, members, results, atLeast) {
  const whole = members.filter(({ failure }) => failure === undefined);
  const first = whole.filter(({ index }) => index === 0);
  const pairs = isReversed
    ? first.flatMap((below) => whole.filter(({ index }) => index > 0).map((above) => [above, below]))
    : whole
        .filter(({ kind }) => kind.isOurs)
        .flatMap((above) => whole.filter(({ kind }) => !kind.isOurs).map((below) => [above, below]));
  return pairs.map(([above, below]) => ({
    above: above.name,
    below: below.name,
    value: medianRatio(results, above.name, below.name, speed),
    ...(atLeast === undefined ? {} : { atLeast }),
  }));
}

function describe(result, members) {
  result.contenders = members.map((member) => ({
    name: member.name,
    title: member.kind.title,
    weights: titleOf(member.weights),
    version: member.version ?? "not started",
    settings: member.kind.settings,
    loadMs: member.running?.loadMs,
    memoryBytes: member.memoryBytes,
    text: member.text,
    ...(member.failure === undefined ? {} : { failure: member.failure }),
  }));
}
