// A handler of somebody's own as a server serves it: jobs alone, and no model behind /v1.
import { judgeStartOptions } from "../serverless/contract.js";
import type { Served } from "./served.js";

/** @param options of serverless.start() @throws InferenceError INVALID_OPTION */
export function ownHandlerServed(options: unknown): Served {
  return { options: judgeStartOptions(options), text: undefined, close: async () => {} };
}
