// What became of a checkpoint's weights, for a person to read: types, bits per weight and
// errors, one line for all tensors that were the same and became the same. Pure.
import type { CheckpointReport, CheckpointTensor } from "../native-checkpoint.js";

/** What a load or a conversion tells, such as "bf16 to f16: 15 tensors, 16.00 bits per weight, …". */
export function checkpointLines({ tensors }: CheckpointReport): readonly string[] {
  const lines = [...byKind(tensors)].map(([kind, some]) => `${kind}: ${kindText(some)}`);
  return [...lines, `in all: ${bitsText(tensors)}`];
}

function kindText(tensors: readonly CheckpointTensor[]): string {
  return `${tensors.length} tensors, ${bitsText(tensors)}, ${errorText(tensors)}`;
}

const plainTypes: readonly string[] = ["f32", "f16", "bf16"];

/** Errors are measured of quantized weights, whose steps they are told in. */
function errorText(tensors: readonly CheckpointTensor[]): string {
  const worst = Math.max(...tensors.map((tensor) => tensor.worstError));
  if (worst > 0) {
    const weights = sum(tensors, (tensor) => tensor.weights);
    const rms = Math.sqrt(sum(tensors, (tensor) => tensor.rmsError ** 2 * tensor.weights) / weights);
    return `off by ${rms.toFixed(4)} quantization steps rms, ${worst.toFixed(4)} at worst`;
  }
  const isRounded = tensors.some(
    ({ from, type }) => plainTypes.includes(from) && from !== type && type !== "f32",
  );
  return isRounded ? "rounded" : "exact";
}

function bitsText(tensors: readonly CheckpointTensor[]): string {
  const weights = sum(tensors, (tensor) => tensor.weights);
  return `${((sum(tensors, (tensor) => tensor.bytes) * 8) / weights).toFixed(2)} bits per weight`;
}

function sum(tensors: readonly CheckpointTensor[], of: (tensor: CheckpointTensor) => number): number {
  return tensors.reduce((all, one) => all + of(one), 0);
}

/** "bf16 to f16". */
function byKind(tensors: readonly CheckpointTensor[]): ReadonlyMap<string, readonly CheckpointTensor[]> {
  const kinds = new Map<string, CheckpointTensor[]>();
  for (const tensor of tensors) {
    const kind = `${tensor.from} to ${tensor.type}`;
    const some = kinds.get(kind);
    if (some === undefined) kinds.set(kind, [tensor]);
    else some.push(tensor);
  }
  return kinds;
}
