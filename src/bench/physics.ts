// The physics of a repeat: bytes that its passes read and operations that they took, from the model's
// header and the engine's counters, against what the device was measured to do. Pure.
import type { DeviceProbe } from "../models/plan/device-probe.js";
import type { ModelCost } from "../models/plan/model-cost.js";
import type { EngineFigures } from "./engine-figures.js";
import type { Distribution } from "./statistics.js";

/** What a model costs and its devices can do, measured once. */
export interface PhysicsFacts {
  readonly cost: ModelCost;
  /** Keys and values of one token of one request, over all layers. */
  readonly kvBytesPerToken: number;
  /** Of the devices that compute. */
  readonly probes: readonly DeviceProbe[];
  /** Each device's part of the weights that devices hold, in the order of probes. */
  readonly shares: readonly number[];
  /** Instruction sets and routines that multiply, as far as they are known. */
  readonly kernels: readonly string[];
  /** Dense FP16 operations per second of all of them, by data sheets; null: one is not known. */
  readonly datasheetF16: number | null;
}

/** The same in a result's file. */
export interface PhysicsIdentity {
  readonly weightBytes: number;
  /** Bytes of weights that a pass of one token reads. */
  readonly passBytes: number;
  readonly kvBytesPerToken: number;
  /** Of one generated token, attention not counted. */
  readonly operationsPerToken: number;
  readonly bytesPerSecond: number;
  readonly operationsPerSecond: number;
  readonly datasheetF16OperationsPerSecond: number | null;
  readonly probes: readonly DeviceProbe[];
  /** Number types of the weights and their parts of what one token multiplies. */
  readonly weightTypes: Readonly<Record<string, number>>;
  readonly kernels: readonly string[];
}

/** Of one repeat. */
export interface PhysicsFigures {
  readonly bytesPerToken: number | null;
  readonly decodeBytesPerSecond: number | null;
  readonly decodeOperationsPerSecond: number | null;
  readonly prefillOperationsPerSecond: number | null;
  readonly mbu: number | null;
  readonly mfu: number | null;
  readonly matrixUse: number | null;
}

/** A pass goes through the devices one after the other: their times add up. */
function together(facts: PhysicsFacts, of: (probe: DeviceProbe) => number): number {
  const { probes, shares } = facts;
  return 1 / probes.reduce((seconds, probe, at) => seconds + (shares[at] ?? 0) / of(probe), 0);
}

export function physicsIdentity(facts: PhysicsFacts): PhysicsIdentity {
  const { cost, kvBytesPerToken, probes, datasheetF16, kernels } = facts;
  const types = cost.matrices.map(({ type, activeWeights }) => [type, activeWeights / cost.activeWeights]);
  return {
    ...{ weightBytes: cost.weightBytes, passBytes: cost.readBytes(1), kvBytesPerToken },
    operationsPerToken: 2 * cost.activeWeights,
    bytesPerSecond: together(facts, (probe) => probe.bytesPerSecond),
    operationsPerSecond: together(facts, (probe) => probe.operationsPerSecond),
    datasheetF16OperationsPerSecond: datasheetF16,
    ...{ probes, weightTypes: Object.fromEntries(types) as Record<string, number>, kernels },
  };
}

/** Lengths that were achieved. */
export interface AchievedLengths {
  readonly promptTokens: Distribution | null;
  readonly outputTokens: Distribution | null;
}

/** @returns null where the engine tells too little */
export function physicsFigures(
  facts: PhysicsFacts,
  engine: EngineFigures | null,
  { promptTokens, outputTokens }: AchievedLengths,
): PhysicsFigures | null {
  if (engine === null || promptTokens === null || outputTokens === null) return null;
  const { decodePasses, decodeRows, decodeMs, prefillMs, promptTokensComputed } = engine;
  if (decodePasses === null || decodeRows === null || decodeMs === null) return null;
  if (prefillMs === null || promptTokensComputed === null) return null;
  const { cost } = facts;
  const context = promptTokens.mean + outputTokens.mean / 2;
  const width = cost.layers * cost.attentionWidth;
  const decodeBytes =
    decodePasses * cost.readBytes(decodePasses > 0 ? decodeRows / decodePasses : 1) +
    decodeRows * context * facts.kvBytesPerToken;
  const decodeOperations = decodeRows * (2 * cost.activeWeights + 4 * width * context);
  const promptWeights = cost.matrices.reduce((sum, group) => sum + group.promptWeights, 0);
  const prefillOperations = promptTokensComputed * (2 * promptWeights + 2 * width * promptTokens.mean);
  const { bytesPerSecond, operationsPerSecond } = physicsIdentity(facts);
  const [decode, prefill] = [decodeMs / 1000, prefillMs / 1000];
  const all = over(decodeOperations + prefillOperations, decode + prefill);
  const decodeRate = over(decodeBytes, decode);
  return {
    bytesPerToken: over(decodeBytes, decodeRows),
    decodeBytesPerSecond: decodeRate,
    decodeOperationsPerSecond: over(decodeOperations, decode),
    prefillOperationsPerSecond: over(prefillOperations, prefill),
    mbu: decodeRate === null ? null : decodeRate / bytesPerSecond,
    mfu: all === null || facts.datasheetF16 === null ? null : all / facts.datasheetF16,
    matrixUse: all === null ? null : all / operationsPerSecond,
  };
}

function over(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}
