// Which of several files is the model: by the type that was asked for, else by a list of
// preferences. The same choice for a folder, a cache and the hub's list of files. Pure.
import { posix } from "node:path";

/** The types to take where none is asked for, best first. */
export const preferredTypes = ["Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q4_0", "IQ4_XS", "F16", "BF16"] as const;

const ggufName = /\.gguf$/i;
const partName = /-(\d{5})-of-(\d{5})\.gguf$/i;
/** GGUF files that are no language model: image projectors and importance matrices. */
const otherContent = /mmproj|^imatrix\b|[-_.]imatrix\.gguf$/i;

/** Whole GGUF models and first parts of split ones, sorted. @param files paths with / between their parts */
export function ggufModels(files: readonly string[]): readonly string[] {
  return files
    .filter((file) => {
      const [, part] = partName.exec(file) ?? [];
      const isLaterPart = part !== undefined && Number(part) !== 1;
      return ggufName.test(file) && !isLaterPart && !otherContent.test(posix.basename(file));
    })
    .sort();
}

/**
 * The file to load.
 * @param files all files of a repository or folder, paths with / between their parts
 * @param quantization a type such as Q4_K_M; undefined: by preference
 * @returns undefined where no file has that type, or none is a GGUF model
 */
export function chooseFile(files: readonly string[], quantization: string | undefined): string | undefined {
  const models = ggufModels(files);
  return quantization === undefined ? byPreference(models) : ofType(models, quantization);
}

/** All parts of a split model, its first among them; any other file is its only part. */
export function partsOf(file: string): readonly string[] {
  const [, , count] = partName.exec(file) ?? [];
  if (count === undefined) return [file];
  const stem = file.replace(partName, "");
  return Array.from(
    { length: Number(count) },
    (_, index) => `${stem}-${String(index + 1).padStart(5, "0")}-of-${count}${file.slice(-".gguf".length)}`,
  );
}

function byPreference(models: readonly string[]): string | undefined {
  for (const type of preferredTypes) {
    const found = wholeType(models, type);
    if (found !== undefined) return found;
  }
  return models[0];
}

/** The type as a whole name first: Q4_0 is not Q4_0_4_4, F16 not BF16; then the best that contains it: Q4_K. */
function ofType(models: readonly string[], type: string): string | undefined {
  const whole = wholeType(models, type);
  if (whole !== undefined) return whole;
  const containing = models.filter((file) => file.toUpperCase().includes(type.toUpperCase()));
  return byPreference(containing);
}

function wholeType(models: readonly string[], type: string): string | undefined {
  const escaped = type.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = new RegExp(`(?:^|[-._/ ])${escaped}(?:[-./ ]|$)`, "i");
  return models.find((file) => pattern.test(file));
}

/** The type that a file's name tells, such as Q4_K_M; undefined where it tells none. */
export function typeOfName(file: string): string | undefined {
  const types = /(?:^|[-._/ ])((?:UD-)?(?:I?Q\d(?:_\w+)?|TQ\d_\d|MXFP4\w*|B?F16|F32))(?=[-./ ]|$)/gi;
  return [...file.matchAll(types)].at(-1)?.[1]?.toUpperCase();
}
