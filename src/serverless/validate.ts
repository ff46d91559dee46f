// Rules for an input in the Python worker's spelling, and its sentences. Unlike
// there, true is no int, a constraint is only asked about a value that is there,
// and nothing of what is given is changed.

type PythonType = "int" | "float" | "str" | "bool" | "list" | "dict";

/** The rule of one field. */
export interface InputRule {
  /** Python's name of a type, or String, Number ("float"), Boolean, Array or Object. */
  readonly type:
    | "int"
    | "float"
    | "str"
    | "bool"
    | "list"
    | "dict"
    | StringConstructor
    | NumberConstructor
    | BooleanConstructor
    | ArrayConstructor
    | ObjectConstructor;
  /** Whether the field must be given. */
  readonly required: boolean;
  /** Must be given where the field is not required. */
  readonly default?: unknown;
  /** Whether a value of the right type will do. */
  // biome-ignore lint/suspicious/noExplicitAny: a rule names its own value's type
  readonly constraints?: ((value: any) => boolean) | undefined;
}

/** The verdict of serverless.validate(): an input, or what is wrong with it. */
export type ValidatedInput =
  | {
      /** A sentence for each thing that is wrong. */
      readonly errors: readonly string[];
      /** Absent beside errors. */
      readonly validatedInput?: undefined;
      /** Absent beside errors. */
      readonly validated_input?: undefined;
    }
  | {
      /** The input with its defaults. */
      readonly validatedInput: Readonly<Record<string, unknown>>;
      /** Python's spelling of validatedInput: the same object. */
      readonly validated_input: Readonly<Record<string, unknown>>;
      /** Absent beside an input. */
      readonly errors?: undefined;
    };

const constructors: ReadonlyMap<unknown, PythonType> = new Map<unknown, PythonType>([
  [String, "str"],
  [Number, "float"],
  [Boolean, "bool"],
  [Array, "list"],
  [Object, "dict"],
]);
const typeNames: readonly unknown[] = ["int", "float", "str", "bool", "list", "dict"];

/** The input with its defaults, or a sentence for each thing that is wrong. */
export function validate(
  raw: Readonly<Record<string, unknown>>,
  rules: Readonly<Record<string, InputRule>>,
): ValidatedInput {
  const type = typeOf(raw);
  if (type !== "dict") {
    return { errors: [`The input should be <class 'dict'> type, not <class '${type}'>.`] };
  }
  const errors: string[] = [];
  const validated = new Map<string, unknown>();
  const given = new Map(Object.entries(raw));
  for (const key of given.keys()) {
    if (!Object.hasOwn(rules, key)) errors.push(`Unexpected input. ${key} is not a valid input option.`);
  }
  for (const [key, rule] of Object.entries(rules)) {
    const wrong = complaintAboutRule(key, rule);
    if (wrong !== undefined) {
      errors.push(wrong);
      continue;
    }
    if (!given.has(key)) {
      if (rule.required) errors.push(`${key} is a required input.`);
      else validated.set(key, ownCopy(rule.default));
      continue;
    }
    const value = given.get(key);
    const complaint = complaintAboutValue(key, rule, value);
    if (complaint === undefined) validated.set(key, value);
    else errors.push(complaint);
  }
  if (errors.length > 0) return { errors };
  const validatedInput: Readonly<Record<string, unknown>> = Object.fromEntries(validated); // keeps a key named __proto__
  return { validatedInput, validated_input: validatedInput };
}

/** A default that one job's handler changes must not be the next job's. */
function ownCopy(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return value; // a function, which no JSON gives
  }
}

function complaintAboutRule(key: string, rule: unknown): string | undefined {
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) {
    return `Schema error, ${key} is not a dictionary.`;
  }
  const { type, required } = rule as Partial<InputRule>;
  if (type === undefined || typeOfRule(type) === undefined) return `Schema error, missing type for ${key}.`;
  if (required === undefined) return `${key} is a required input.`;
  if (!required && !Object.hasOwn(rule, "default")) {
    return `Schema error, missing default value for ${key}.`;
  }
  return undefined;
}

function typeOfRule(type: unknown): PythonType | undefined {
  return constructors.get(type) ?? (typeNames.includes(type) ? (type as PythonType) : undefined);
}

function complaintAboutValue(key: string, rule: InputRule, value: unknown): string | undefined {
  const expected = typeOfRule(rule.type);
  const actual = typeOf(value);
  const fits = actual === expected || (expected === "float" && actual === "int");
  // A value of the default's own type passes, such as null where null is the default.
  const asDefault = Object.hasOwn(rule, "default") && !rule.required && typeOf(rule.default) === actual;
  if (!fits && !asDefault) return `${key} should be <class '${expected}'> type, not <class '${actual}'>.`;
  if (fits && rule.constraints !== undefined && !isMet(rule.constraints(value))) {
    return `${key} does not meet the constraints.`;
  }
  return undefined;
}

/** As in Python, what counts as false is not met; nor is a promise, which nobody awaits. */
function isMet(verdict: unknown): boolean {
  return Boolean(verdict) && !(verdict instanceof Promise);
}

/** Python's name for the type of a JSON value. */
function typeOf(value: unknown): PythonType | "NoneType" {
  switch (typeof value) {
    case "string":
      return "str";
    case "boolean":
      return "bool";
    case "number":
      return Number.isInteger(value) ? "int" : "float";
    default:
      if (value === null || value === undefined) return "NoneType";
      return Array.isArray(value) ? "list" : "dict";
  }
}
