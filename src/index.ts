// What the package offers: loadModel(), and the types of what it leads to.
// Classes that only this package can make are exported as types.
export type { ChatMessage, ChatOptions, RenderedChat, TextPart } from "./chat/messages.js";
export type { PastToolCall, Tool, ToolCall, ToolChoice, ToolOptions } from "./chat/tools.js";
export type { ConstraintOptions } from "./constraints/constraint.js";
export type { EmbedInput, EmbedOptions, EmbedResult } from "./engine/embed.js";
export type { ChosenEngineOptions, Engine } from "./engine/engine.js";
export type {
  ChoiceEndEvent,
  DeltaEvent,
  EndEvent,
  FinishReason,
  GenerateChoice,
  GeneratedLogProb,
  GenerateResult,
  GenerationEvent,
  ReasoningDeltaEvent,
  TextDeltaEvent,
  Timings,
  TokenLogProb,
  ToolCallDeltaEvent,
  Usage,
} from "./engine/events.js";
export type { Generation } from "./engine/generation.js";
export type { LoraChoice } from "./engine/loras.js";
export {
  type DetokenizeOptions,
  loadModel,
  type MemoryNeeded,
  type MetadataValue,
  type Model,
  type ModelInfo,
  type TensorInfo,
  type TokenizeOptions,
} from "./engine/model.js";
export { inspectModel, type ModelFile } from "./engine/model-file.js";
export type { EngineOptions, LoraAdapter, ModelOptions, SpeculationOptions } from "./engine/options.js";
export type { ForkOptions, GenerateRequest, LoadStateOptions } from "./engine/request.js";
export type { RankedDocument, RerankRequest, RerankResult } from "./engine/rerank.js";
export type { SamplingOptions } from "./engine/sampling.js";
export type { SavedState } from "./engine/saved-state.js";
export type { EngineStats } from "./engine/stats.js";
export { type ErrorCode, InferenceError } from "./errors.js";
export { type LogLevel, type LogLine, setLogListener } from "./log.js";
export { embeddedModelPath } from "./models/embedded.js";
export type {
  Check,
  ConcurrencyModifier,
  Handler,
  Job,
  JobContext,
  JobFigures,
  JobLog,
  StartOptions,
} from "./serverless/contract.js";
export type { InputSchema, SchemaIssue, SchemaVerdict } from "./serverless/input-schema.js";
export { serverless } from "./serverless/serverless.js";
export type { InputRule, ValidatedInput } from "./serverless/validate.js";
