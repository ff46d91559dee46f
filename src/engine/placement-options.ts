// What a caller may choose about the devices that a model lies on, and the judged form. Which
// devices there are is placement.ts's to know.
import { z } from "zod";
import { invalidOption, type OptionPath } from "../errors.js";
import type { SplitMode } from "../native-devices.js";
import { number } from "./judge.js";
import { show } from "./shown.js";

/** Where a model is to lie: on which devices, and how much of it. */
export interface PlacementOptions {
  /**
   * What holds and computes the layers. "auto": every GPU of the best backend, integrated GPUs
   * where there are no others, else the CPU, which is logged where the machine has a GPU that
   * cannot be used. "gpu": the same, and without a usable GPU an error that says why. "cpu": no
   * GPU. Or the names of devices that devices() lists, such as "CUDA0" or ["CUDA0", "CUDA1"];
   * the model's layers lie on them in this order. Default "auto".
   */
  readonly device?: "auto" | "gpu" | "cpu" | (string & {}) | readonly string[] | undefined;
  /**
   * Layers to place on the GPUs, "all", or "auto": as many as fit, beside a reserve for the KV
   * cache and the buffers of an engine, which a log line tells with its figures. Layers beyond
   * the model's count mean all. A number above 0 and "all" are an error where no GPU can be
   * used. Default "all", and without a GPU every layer is on the CPU.
   */
  readonly gpuLayers?: number | "all" | "auto" | undefined;
  /**
   * How several devices share the model. "none": one device has all, mainGpu. "layer": each has
   * some of the layers. "row" and "tensor": each has a part of every matrix, "row" where the
   * backend has buffers for that, "tensor" for architectures that llama.cpp can cut in this way,
   * with flash attention only. Default "layer".
   */
  readonly splitMode?: SplitMode | undefined;
  /** How much each device gets, one number for each, such as [3, 1]. Default: by their free memory. */
  readonly tensorSplit?: readonly number[] | undefined;
  /** With splitMode "none": the device, by its name or by its place among those chosen. Default 0. */
  readonly mainGpu?: number | string | undefined;
  /**
   * The share of a device's memory that gpuLayers "auto" may use, above 0 and at most 1.
   * Default 1, which still leaves 256 MiB.
   */
  readonly gpuMemoryUtilization?: number | undefined;
}

/** PlacementOptions, judged. */
export interface JudgedPlacement {
  readonly device: "auto" | "gpu" | "cpu" | readonly string[];
  /** Layers on GPUs; -1: all; -2: as many as fit. */
  readonly gpuLayers: number;
  /** Whether the caller named a number of layers, or all. */
  readonly asksForLayers: boolean;
  readonly splitMode: SplitMode;
  readonly tensorSplit: readonly number[];
  readonly mainGpu: number | string;
  readonly gpuMemoryUtilization: number;
}

const allLayers = -1;
const fittingLayers = -2;
const maximumLayers = 100_000;
const mostDevices = 16;
const maximumShare = 1_000_000;
const leastUtilization = 0.01;

function isLayerCount(value: unknown): boolean {
  if (typeof value !== "number") return value === "all" || value === "auto";
  return Number.isInteger(value) && value >= 0 && value <= maximumLayers;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= 64;
}

function isDevice(value: unknown): boolean {
  if (!Array.isArray(value)) return isName(value);
  return value.length > 0 && value.length <= mostDevices && value.every(isName);
}

function isMainGpu(value: unknown): boolean {
  if (typeof value === "string") return isName(value);
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < mostDevices;
}

/** The fields of PlacementOptions. */
export const placementShape = {
  device: z
    .custom<string | readonly string[]>(
      isDevice,
      '"auto", "gpu", "cpu", or the name of a device or an array of names',
    )
    .default("auto"),
  gpuLayers: z
    .custom<number | "all" | "auto">(isLayerCount, `an integer from 0 to ${maximumLayers}, "all" or "auto"`)
    .optional(),
  splitMode: z
    .enum(["none", "layer", "row", "tensor"], 'one of "none", "layer", "row", "tensor"')
    .default("layer"),
  tensorSplit: z
    .array(number(0, maximumShare), "an array of numbers, one for each device")
    .max(mostDevices, `at most ${mostDevices} numbers`)
    .optional(),
  mainGpu: z
    .custom<number | string>(isMainGpu, "the name of a device, or its place among those chosen")
    .optional(),
  gpuMemoryUtilization: number(leastUtilization, 1).default(1),
};

const placementObject = z.object(placementShape);

/** @throws InferenceError INVALID_OPTION: options that contradict each other */
export function judgePlacement(call: string, given: z.output<typeof placementObject>): JudgedPlacement {
  const { splitMode, tensorSplit, mainGpu, gpuMemoryUtilization } = given;
  const refuse = (path: OptionPath, problem: string): never => {
    throw invalidOption(call, path, problem);
  };
  const device = judgeDevice(given.device, refuse);
  const asksForLayers = given.gpuLayers !== undefined && given.gpuLayers !== 0 && given.gpuLayers !== "auto";
  if (device === "cpu" && asksForLayers) {
    refuse(["gpuLayers"], `must be 0 or left out with device "cpu", got ${show(given.gpuLayers)}`);
  }
  if (mainGpu !== undefined && splitMode !== "none") {
    refuse(
      ["mainGpu"],
      `goes with splitMode "none" only, which is ${show(splitMode)}; leave one of them out`,
    );
  }
  if (tensorSplit !== undefined && splitMode === "none") {
    refuse(["tensorSplit"], 'must be left out with splitMode "none": one device has the whole model');
  }
  if (tensorSplit?.every((share) => share === 0)) {
    refuse(["tensorSplit"], "must have a number above 0, all are 0");
  }
  return {
    device,
    gpuLayers: layersOf(given.gpuLayers),
    asksForLayers,
    splitMode,
    tensorSplit: tensorSplit ?? [],
    mainGpu: mainGpu ?? 0,
    gpuMemoryUtilization,
  };
}

function layersOf(given: number | "all" | "auto" | undefined): number {
  if (given === "auto") return fittingLayers;
  return given === undefined || given === "all" ? allLayers : given;
}

function judgeDevice(
  given: string | readonly string[],
  refuse: (path: OptionPath, problem: string) => never,
): JudgedPlacement["device"] {
  if (given === "auto" || given === "gpu" || given === "cpu") return given;
  const names = typeof given === "string" ? [given] : given;
  const lower = names.map((name) => name.toLowerCase());
  const again = names.find((_, place) => lower.indexOf(lower[place] ?? "") < place);
  if (again !== undefined) refuse(["device"], `names ${show(again)} twice; name each device once`);
  return names;
}
