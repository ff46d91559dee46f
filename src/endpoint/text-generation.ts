// Text generation as a server serves it: the worker of the platform, and its model beside it
// for the routes that need no job.
import type { ErrorCode } from "../errors.js";
import { judgeStartOptions } from "../serverless/contract.js";
import type { Environment } from "../text-generation/environment.js";
import { textGenerationWorker } from "../text-generation/worker.js";
import type { Served } from "./served.js";

/**
 * @param environment worker-vllm's variables and our own
 * @param onBroken told when the engine can do nothing more; the process is to end
 */
export function textGenerationServed(environment: Environment, onBroken: (code: ErrorCode) => void): Served {
  const worker = textGenerationWorker(environment, onBroken);
  const loaded = () => {
    const service = worker.service();
    if (service === undefined) throw new Error("the model is not loaded yet");
    return service;
  };
  return {
    options: judgeStartOptions(worker.options),
    text: {
      model: () => loaded().model,
      stats: () => loaded().engine.stats(),
      isBroken: () => worker.service()?.isBroken === true,
      observe: (observer) => loaded().observe(observer),
      concurrency: () => loaded().concurrency,
      onUnknown: (path) => worker.onUnknown(path),
      onBroken,
    },
    close: async () => worker.service()?.close(),
  };
}
