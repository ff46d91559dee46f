// Errors as OpenAI's API words them: {message, type, param, code} and an HTTP
// status. Fields are named as the request names them.
import { InferenceError, type NameOption } from "../errors.js";
import { messageOfThrown } from "../thrown.js";
import type { Body } from "./fields.js";
import { optionNames } from "./option-names.js";

/** OpenAI's error object. */
export interface ErrorObject {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** A request that cannot be served, and why. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
  /** Of a 405: the methods that the route takes; undefined: POST. */
  readonly allow: string | undefined;

  constructor(
    status: number,
    message: string,
    facts: {
      readonly type?: string;
      readonly param?: string;
      readonly code?: string;
      readonly allow?: string;
    } = {},
  ) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.type = facts.type ?? typeOf(status);
    this.param = facts.param ?? null;
    this.code = facts.code ?? null;
    this.allow = facts.allow;
  }

  get object(): ErrorObject {
    const { message, type, param, code } = this;
    return { message, type, param, code };
  }
}

/** A field's value that cannot be taken. @param phrase what it must be */
export function wrongField(param: string, phrase: string): ApiError {
  return new ApiError(400, `${param} must be ${phrase}`, { param, code: "invalid_value" });
}

/** Whatever was thrown, as the API words it. @param names of fields, or the body that an error is of */
export function toApiError(thrown: unknown, names: Body | NameOption = {}): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (!(thrown instanceof InferenceError)) return new ApiError(500, messageOfThrown(thrown));
  const { status, code, path } = thrown;
  const name = typeof names === "function" ? names : optionNames(names);
  const facts = path ? { param: name(path), code: "invalid_value" } : { code: code.toLowerCase() };
  return new ApiError(status, thrown.sentence(name), facts);
}

/** Where an answer is a failure: its body, in the words of the API that the path belongs to. */
export function errorBody(path: string, error: ApiError): object {
  if (!/(?:^|\/)v1\/messages(?:[/?]|$)/.test(path)) return { error: error.object };
  return { type: "error", error: { ...error.object, type: anthropicType(error) } };
}

/** Anthropic's word for an error. */
export function anthropicType({ status, type }: ApiError): string {
  const words: Readonly<Record<number, string>> = {
    403: "permission_error",
    413: "request_too_large",
    503: "overloaded_error",
  };
  return words[status] ?? (status < 500 ? type : "api_error");
}

function typeOf(status: number): string {
  if (status === 404) return "not_found_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}
