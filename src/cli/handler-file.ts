// A program whose handler `infernode serve` is to serve: one that calls serverless.start(), as
// every worker does, or a module that exports its handler. It is imported into this process.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { StartOptions } from "../serverless/contract.js";
import { takeStarts } from "../serverless/start-taker.js";
import { stackOfThrown } from "../thrown.js";
import { notice, refusal } from "./terminal.js";

type Exports = Readonly<Record<string, unknown>>;

const noEffect = "the call has no effect";
const whatToDo =
  "call serverless.start({ handler }) in it, or export the handler, or the options of serverless.start(), as its default";

/** Whether what is to be served is a program, by its name. */
export function isProgram(name: string): boolean {
  return /\.[cm]?[jt]s$/i.test(name) && !/^\w+:/.test(name);
}

/** @throws InferenceError INVALID_OPTION for a file that has no handler; an Error with the program's own stack */
export async function optionsOfProgram(file: string): Promise<unknown> {
  const path = resolve(file);
  if (!existsSync(path)) throw refusal(`there is no file ${file}`);
  const started = new Promise<StartOptions>((take) => {
    takeStarts((options) => {
      ignoreStarts(file);
      take(options);
    });
  });
  const options = await handlerOf(file, started, import(pathToFileURL(path).href) as Promise<Exports>);
  ignoreStarts(file);
  return options;
}

/** As long as the process lives: a worker beside the server would end it. */
function ignoreStarts(file: string): void {
  let isTold = false;
  takeStarts(() => {
    if (!isTold) notice(`${file} calls serverless.start() though its handler is served; ${noEffect}`);
    isTold = true;
  });
}

async function handlerOf(
  file: string,
  started: Promise<StartOptions>,
  imported: Promise<Exports>,
): Promise<unknown> {
  const call = started.then((options) => ({ options }));
  const first = await Promise.race([call, imported.then((exports) => ({ exports }))]).catch(
    (thrown: unknown) => {
      throw failed(file, thrown);
    },
  );
  if ("options" in first) {
    void imported.then(() => {}); // what the program throws from now on is its own, and nobody caught it
    return first.options;
  }
  const given = exportedOptions(first.exports);
  if (given !== undefined) return given;
  const later = await Promise.race([call, idle()]);
  if (later === undefined) throw refusal(`${file} has no handler; ${whatToDo}`);
  return later.options;
}

function exportedOptions({ default: main, handler }: Exports): unknown {
  if (typeof main === "function") return { handler: main };
  if (typeof main === "object" && main !== null && "handler" in main) return main;
  return handler === undefined ? undefined : { handler };
}

/** Resolves when nothing is left that could call serverless.start(). */
function idle(): Promise<undefined> {
  return new Promise((resolve) => process.once("beforeExit", () => resolve(undefined)));
}

/** The stack is the program's, not that of this command. */
function failed(file: string, thrown: unknown): Error {
  const sentence = `${file} cannot be imported: ${stackOfThrown(thrown)}`;
  return Object.assign(new Error(sentence), { stack: sentence });
}
