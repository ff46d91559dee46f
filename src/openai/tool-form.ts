// tool_form, a field of this API alone: whether calls may be written in the generic form.
import type { ToolForm } from "../chat/tools.js";
import { wrongField } from "./api-error.js";
import { type Body, textField } from "./fields.js";

function isToolForm(text: string): text is ToolForm {
  return text === "auto" || text === "template" || text === "generic";
}

/** @throws ApiError */
export function toolFormOf(body: Body): { readonly toolForm?: ToolForm } {
  const toolForm = textField(body, "tool_form");
  if (toolForm === undefined) return {};
  if (!isToolForm(toolForm)) throw wrongField("tool_form", '"auto", "template" or "generic"');
  return { toolForm };
}
