// What a zod schema accepts and defaults to, as its own error messages and definitions say.

// The noun phrase after "must be" in the error of a wrong value, or undefined.
export function acceptedBy(schema) {
  const verdict = schema.safeParse(Symbol("no option is a symbol"));
  const message = verdict.success ? undefined : verdict.error.issues[0]?.message;
  return message?.startsWith("Invalid input") ? undefined : message;
}

// The default of a schema, or undefined.
export function defaultOf(schema) {
  let each = schema;
  while (each?.def) {
    if (each.def.type === "default") return each.def.defaultValue;
    each = each.def.innerType ?? (each.def.type === "pipe" ? each.def.in : undefined);
  }
  return undefined;
}
