// A model's name for people: the file's own, its architecture, size and type of weights. Pure.

/** What a result's target says of a model in this process. */
export interface ModelFacts {
  readonly name?: unknown;
  /** llama.cpp's, such as "llama 8B Q4_K - Medium"; of sizes that it has no name for, "llama ?B Q8_0". */
  readonly description?: unknown;
  readonly parameterCount?: unknown;
}

/** "Tinytale, llama 2.9M Q8_0". */
export function modelText({ name, description, parameterCount }: ModelFacts): string {
  const parts = [name, description].filter((each) => typeof each === "string" && each !== "").map(String);
  const text = parts.join(", ");
  return typeof parameterCount === "number" ? text.replace("?B", sizeText(parameterCount)) : text;
}

/** "8.0B", "60.5M". */
export function sizeText(parameters: number): string {
  return parameters >= 1e9 ? `${(parameters / 1e9).toFixed(1)}B` : `${(parameters / 1e6).toFixed(1)}M`;
}
