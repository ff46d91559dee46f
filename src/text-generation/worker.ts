// The text-generation worker as options for serverless.start(): what goes wrong
// with its environment or its model is told to the platform by its preparation.
import { type ErrorCode, InferenceError } from "../errors.js";
import { type LogLevel, setLogListener } from "../log.js";
import type { OnUnknown } from "../openai/fields.js";
import type { JobLog, StartOptions } from "../serverless/contract.js";
import { readTextGenerationConfig, type TextGenerationConfig } from "./config.js";
import type { Environment } from "./environment.js";
import { textGenerationHandler } from "./handler.js";
import { TextGenerationService } from "./service.js";
import { unknownFields } from "./unknown-fields.js";

/** Where llama.cpp's lines go in the worker's log: what it tells of a load is for those who look for it. */
const lineLevels: Readonly<Record<LogLevel, keyof JobLog>> = {
  debug: "debug",
  info: "debug",
  warn: "warn",
  error: "error",
};

/** llama.cpp wonders at what the engine chooses on purpose. */
const chosen = /^llama_init_from_model: model default pooling_type/;

/** Errors of a request that may be the engine's end. */
const enders: ReadonlySet<ErrorCode> = new Set(["ENGINE_BROKEN", "DEVICE_FAILED", "OUT_OF_MEMORY"]);

/** A worker that generates text. */
export interface TextGenerationWorker {
  readonly options: StartOptions;
  /** The model and engine, once prepared. */
  readonly service: () => TextGenerationService | undefined;
  /** Told of fields in requests that nobody defines, as the handler tells it. */
  readonly onUnknown: OnUnknown;
}

/**
 * @param environment worker-vllm's variables and our own
 * @param onBroken told when the engine can do nothing more, and by which error; the process is to end
 */
export function textGenerationWorker(
  environment: Environment,
  onBroken: (code: ErrorCode) => void,
): TextGenerationWorker {
  let service: TextGenerationService | undefined;
  let handler: ReturnType<typeof textGenerationHandler> | undefined;
  let onUnknown: OnUnknown = () => {};
  const onFailure = (thrown: unknown) => {
    if (!(thrown instanceof InferenceError)) return;
    const isBroken = thrown.code === "ENGINE_BROKEN" || service?.isBroken === true;
    if (isBroken && enders.has(thrown.code)) onBroken(thrown.code);
  };
  const prepare = async (log: JobLog, signal: AbortSignal) => {
    const config: TextGenerationConfig = readTextGenerationConfig(environment);
    setLogListener(({ level, text }) => log[chosen.test(text) ? "debug" : lineLevels[level]](text));
    service = new TextGenerationService(config, environment, (level, message) => log[level](message));
    await service.load(signal);
    const { model } = service;
    onUnknown = unknownFields(config.strictFields, (message) => log.warn(message));
    handler = textGenerationHandler({ model: () => model, config, onFailure, onUnknown });
  };
  const options: StartOptions = {
    handler: (job, context) => {
      if (handler === undefined) throw new InferenceError("MODEL_CLOSED", "the model is not loaded yet");
      return handler(job, context);
    },
    prepare,
    concurrencyModifier: () => service?.concurrency ?? 1,
    returnAggregateStream: true,
  };
  return { options, service: () => service, onUnknown: (path) => onUnknown(path) };
}
