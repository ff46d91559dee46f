// A Responses body's tools and tool_choice. Functions alone: hosted tools run at OpenAI, and are
// refused by their type.
import type { Tool, ToolChoice } from "../chat/tools.js";
import { ApiError, wrongField } from "./api-error.js";
import {
  type Body,
  booleanField,
  type OnUnknown,
  objectField,
  refuseField,
  tellUnknown,
  textField,
} from "./fields.js";
import { isObject } from "./messages.js";

/** Tools that may be called, and which of them is to be. */
export interface ChosenTools {
  readonly tools?: readonly Tool[];
  readonly toolChoice?: ToolChoice;
}

const toolFields: ReadonlySet<string> = new Set([
  "type",
  "name",
  "description",
  "parameters",
  "strict",
  "defer_loading",
  "allowed_callers",
  "output_schema",
]);

/** @throws ApiError */
export function chosenTools(body: Body, onUnknown: OnUnknown): ChosenTools {
  const tools = toolsOf(body.tools ?? [], onUnknown);
  const { tool_choice: choice } = body;
  if (tools.length === 0) {
    if (choice === undefined || choice === "auto" || choice === "none") return {};
    throw new ApiError(400, "tool_choice must come with tools", {
      param: "tool_choice",
      code: "invalid_value",
    });
  }
  if (isObject(choice) && choice.type === "allowed_tools") return allowedTools(choice, tools);
  return { tools, ...(choice !== undefined && { toolChoice: choiceOf(choice) }) };
}

function toolsOf(given: unknown, onUnknown: OnUnknown): readonly Tool[] {
  if (!Array.isArray(given)) throw wrongField("tools", "a list of functions");
  return given.map((tool: unknown, index) => {
    const path = `tools[${index}]`;
    if (!isObject(tool)) throw wrongField(path, 'an object of { type: "function", name, parameters }');
    if (tool.type !== "function") throw refusedTool(tool.type, path);
    tellUnknown(tool, toolFields, onUnknown, (name) => `${path}.${name}`);
    if (booleanField(tool, "defer_loading", `${path}.defer_loading`) === true)
      refuseField(`${path}.defer_loading`);
    const name = textField(tool, "name", `${path}.name`);
    if (name === undefined) throw wrongField(`${path}.name`, "a string");
    const description = textField(tool, "description", `${path}.description`);
    const parameters = objectField(tool, "parameters", `${path}.parameters`);
    return {
      name,
      ...(description !== undefined && { description }),
      ...(parameters !== undefined && { parameters }),
    };
  });
}

function refusedTool(type: unknown, path: string): ApiError {
  return new ApiError(
    400,
    `${path} is of type ${JSON.stringify(type)}, which is not supported; send tools of type "function" and run them yourself`,
    { param: `${path}.type`, code: "unsupported_value" },
  );
}

const choicePhrase =
  '"auto", "none", "required", { type: "function", name } or { type: "allowed_tools", mode, tools }';

function choiceOf(given: unknown): ToolChoice {
  if (given === "auto" || given === "none" || given === "required") return given;
  if (isObject(given) && given.type === "function" && typeof given.name === "string")
    return { name: given.name };
  throw wrongField("tool_choice", choicePhrase);
}

/** The others are not shown to the model at all. */
function allowedTools({ mode, tools: allowed }: Body, tools: readonly Tool[]): ChosenTools {
  if (mode !== "auto" && mode !== "required") throw wrongField("tool_choice.mode", '"auto" or "required"');
  const names = Array.isArray(allowed)
    ? allowed.map((each: unknown) => (isObject(each) ? each.name : each))
    : [];
  const known: ReadonlySet<unknown> = new Set(tools.map(({ name }) => name));
  const absent = names.findIndex((name) => !known.has(name));
  if (names.length === 0 || absent >= 0) {
    throw wrongField(`tool_choice.tools${absent < 0 ? "" : `[${absent}]`}`, "one of the tools, by its name");
  }
  return { tools: tools.filter(({ name }) => names.includes(name)), toolChoice: mode };
}
