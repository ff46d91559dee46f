// An engine in the memory that there is: where the caller left its slots or its context open and
// the defaults find no room, a smaller one is made, and the log says so. What the caller chose
// is never changed.
import { InferenceError } from "../errors.js";
import { tellLog } from "../log.js";
import type { EngineOptions } from "./options.js";

/** How large an engine is. */
export interface EngineSize {
  readonly slots: number;
  readonly contextLength: number;
}

/** Below this a chat has no room; whoever wants less says so. */
const leastContext = 512;

/**
 * @param given the caller's options
 * @param defaults the sizes where the caller gives none
 * @param make may be called several times, each time with a smaller size, until it resolves
 * @throws what `make` throws: OUT_OF_MEMORY where the smallest engine finds no room, too
 */
export async function makeFitting<Made>(
  given: EngineOptions,
  defaults: EngineSize,
  make: (options: EngineOptions) => Promise<Made>,
): Promise<Made> {
  const { slots = defaults.slots, contextLength = defaults.contextLength } = given;
  let size: EngineSize = { slots, contextLength };
  for (let options = given; ; ) {
    try {
      const made = await make(options);
      if (options !== given) tell(size, { slots, contextLength });
      return made;
    } catch (thrown) {
      const smaller = isOfMemory(thrown) ? nextSize(given, size) : undefined;
      if (smaller === undefined) throw thrown;
      size = smaller;
      options = { ...given, ...smaller };
    }
  }
}

function isOfMemory(thrown: unknown): boolean {
  return thrown instanceof InferenceError && thrown.code === "OUT_OF_MEMORY";
}

/** Half the slots, down to one, and then half the context; undefined: nothing is left open. */
export function nextSize(given: EngineOptions, { slots, contextLength }: EngineSize): EngineSize | undefined {
  // One pool has a number of cells of its own.
  if (given.kvCells !== undefined) return undefined;
  if (given.slots === undefined && slots > 1) return { slots: Math.floor(slots / 2), contextLength };
  const half = Math.floor(contextLength / 2);
  if (given.contextLength === undefined && half >= leastContext) return { slots, contextLength: half };
  return undefined;
}

function tell(size: EngineSize, wanted: EngineSize): void {
  const of = ({ slots, contextLength }: EngineSize) => `${slots} slots of ${contextLength} tokens`;
  const text = `createEngine(): there is too little memory for ${of(wanted)}; the engine has ${of(size)}. Choose slots and contextLength to have an error instead`;
  tellLog({ level: "warn", text });
}
