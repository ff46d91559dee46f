// What the package offers: loadModel(), and the types of what it leads to.
// Classes that only this package can make are exported as types.
export type { ChatMessage, ChatOptions, RenderedChat, TextPart } from "./chat/messages.js";
export type {
  NamedToolChoice,
  PastToolCall,
  Tool,
  ToolCall,
  ToolChoice,
  ToolForm,
  ToolOptions,
} from "./chat/tools.js";
export type { ConstraintOptions } from "./constraints/constraint.js";
export type { JsonSchema, ObjectOf, OutputSchema, SchemaOption } from "./constraints/output-schema.js";
export { type Device, devices } from "./devices.js";
export type {
  CheckpointOptions,
  CheckpointProfile,
  CheckpointQuantization,
} from "./engine/checkpoint-options.js";
export type { Embedding, EmbedInput, EmbedOptions, EmbedResult } from "./engine/embed.js";
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
  ObjectChoice,
  ObjectResult,
  PromptEvent,
  PromptLogProb,
  ReasoningDeltaEvent,
  ResultOf,
  TextDeltaEvent,
  Timings,
  TokenLogProb,
  ToolCallDeltaEvent,
  Usage,
} from "./engine/events.js";
export type {
  ChatRequest,
  ForkOptions,
  GenerateOptions,
  GenerateRequest,
  LoadStateOptions,
  PromptRequest,
} from "./engine/generate-request.js";
export type { Generation } from "./engine/generation.js";
export type { KvLayout } from "./engine/kv-layout.js";
export type { LoraChoice } from "./engine/loras.js";
export type { Metadata, MetadataValue } from "./engine/metadata.js";
export {
  type DetokenizeOptions,
  type DeviceMemory,
  type LoadedCheckpoint,
  loadModel,
  type MemoryNeeded,
  type Model,
  type ModelInfo,
  type TokenizeOptions,
} from "./engine/model.js";
export { inspectModel, type ModelFile } from "./engine/model-file.js";
export type {
  EngineOptions,
  LoadProgress,
  LoraAdapter,
  ModelOptions,
  SpeculationOptions,
} from "./engine/options.js";
export type { PlacementOptions } from "./engine/placement-options.js";
export type { DrainOptions } from "./engine/request-book.js";
export type { RankedDocument, RerankRequest, RerankResult } from "./engine/rerank.js";
export type { SamplingOptions } from "./engine/sampling.js";
export type { SavedState } from "./engine/saved-state.js";
export type { JsonSeed, Seed } from "./engine/seed.js";
export type { EngineStats } from "./engine/stats.js";
export type { TextStream } from "./engine/text-stream.js";
export {
  type ErrorCode,
  type ErrorFacts,
  InferenceError,
  type InferenceErrorJson,
  type OptionPath,
} from "./errors.js";
export { type LogLevel, type LogLine, setLogListener } from "./log.js";
export { embeddedModelPath } from "./models/embedded.js";
export type { PullProgress } from "./models/hub/remote-file.js";
export {
  type ModelPlan,
  type PlanBand,
  type PlanGuideRow,
  type PlanOptions,
  type PlanRow,
  planModel,
} from "./models/plan/plan.js";
export { type PulledModel, type PullModelOptions, pullModel } from "./models/pull-model.js";
export type { CacheKind, KvType } from "./native.js";
export type {
  CheckpointReport,
  CheckpointTensor,
  NativeTensorInfo as TensorInfo,
} from "./native-checkpoint.js";
export type { ModelDevice, SplitMode } from "./native-devices.js";
export type {
  Check,
  ConcurrencyModifier,
  Handler,
  Job,
  JobContext,
  JobFigures,
  JobLog,
  Prepare,
  StartOptions,
} from "./serverless/contract.js";
export type { InputSchema } from "./serverless/input-schema.js";
export { type Serverless, serverless } from "./serverless/serverless.js";
export type { InputRule, ValidatedInput } from "./serverless/validate.js";
export type {
  SchemaIssue,
  SchemaPathStep,
  SchemaVerdict,
  StandardSchemaProps,
  WritableSchemaProps,
} from "./standard-schema.js";
