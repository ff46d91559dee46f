// LoRA adapters of an engine by name, and which of them a request has: judged here,
// handed to the addon as one scale per loaded adapter.
import { basename, extname } from "node:path";
import { z } from "zod";
import type { ModelDevice } from "../native-devices.js";
import { number } from "./judge.js";
import { holdsLayers } from "./placement.js";
import { show } from "./shown.js";

/** Which adapters a request has, and how much of each. */
export interface LoraChoice {
  /** Of an adapter the engine has loaded. */
  readonly name: string;
  /** -100 to 100; 0: none of it. Default: the engine's scale for it, 1 where that is 0. */
  readonly scale?: number | undefined;
}

/** An adapter an engine has loaded. */
export interface LoadedLora {
  readonly name: string;
  readonly path: string;
  readonly scale: number;
}

export const maximumLoras = 16;
const maximumNameBytes = 256;

/** A scale as every layer takes it. */
export const loraScale = () => number(-100, 100);

/** An adapter's name. */
export const loraName = () =>
  z.custom<string>(isName, `a text of 1 to ${maximumNameBytes} UTF-8 bytes without NUL`);

function isName(value: unknown): boolean {
  if (typeof value !== "string" || value === "" || value.includes("\0")) return false;
  return Buffer.byteLength(value) <= maximumNameBytes;
}

/** The name of an adapter that was given none: its file's, without the ending. */
export function nameOfFile(path: string): string {
  return basename(path, extname(path));
}

/** The first name that stands twice; undefined where there is none. */
export function twice(names: readonly string[]): string | undefined {
  return names.find((name, index) => names.indexOf(name) < index);
}

/**
 * The device for whose sake every pass must have the same adapters; undefined: passes may differ.
 * Where adapters change, llama.cpp makes its scheduler anew, after which passes of its Vulkan
 * backend write outside of their memory and end the process (v0.5.0, Mesa's software driver).
 */
export function deviceOfFixedLoras(devices: readonly ModelDevice[] = []): string | undefined {
  return devices.find((device) => /^Vulkan\d/.test(device.name) && holdsLayers(device))?.name;
}

/**
 * The schema of a request's `loras`: its output is a scale for each loaded adapter, or
 * undefined where that is as the engine was made.
 * @param fixedOn of deviceOfFixedLoras()
 */
export function choiceSchema(loaded: readonly LoadedLora[], fixedOn?: string) {
  const names = loaded.map(({ name }) => name);
  const known =
    names.length === 0
      ? "left out: the engine has loaded no adapters (createEngine({ loras }))"
      : `the name of a loaded adapter: ${names.map(show).join(", ")}`;
  const choice = z.strictObject(
    {
      name: z.custom<string>((name) => names.includes(name as string), known),
      scale: loraScale().optional(),
    },
    "an adapter of { name, scale }",
  );
  return z
    .array(choice, "an array of { name, scale }")
    .max(maximumLoras, `at most ${maximumLoras} adapters`)
    .superRefine((chosen, context) => {
      const again = twice(chosen.map(({ name }) => name));
      if (again === undefined) return;
      context.addIssue({
        code: "custom",
        message: `of adapters named once each, ${show(again)} stands twice`,
      });
    })
    .transform((chosen) => scalesOf(loaded, chosen))
    .superRefine((scales, context) => {
      if (scales === undefined || fixedOn === undefined) return;
      context.addIssue({
        code: "custom",
        message: `as the engine was made, or left out: on ${fixedOn} the adapters cannot change between passes; make an engine for each choice of them`,
      });
    })
    .optional();
}

function scalesOf(loaded: readonly LoadedLora[], chosen: readonly LoraChoice[]): Float32Array | undefined {
  const scales = Float32Array.from(loaded, ({ name, scale }) => {
    const one = chosen.find((choice) => choice.name === name);
    return one === undefined ? 0 : (one.scale ?? (scale === 0 ? 1 : scale));
  });
  const same = loaded.every(({ scale }, index) => Math.fround(scale) === scales[index]);
  return same ? undefined : scales;
}

/** The adapters behind a state, as text: those that add something, with their scales. */
export function lorasText(loaded: readonly LoadedLora[], scales: Float32Array | null): string {
  return loaded
    .map(({ path, scale }, index) => ({ file: basename(path), scale: scales?.[index] ?? scale }))
    .filter(({ scale }) => scale !== 0)
    .map(({ file, scale }) => `${file} ${scale}`)
    .join(", ");
}
