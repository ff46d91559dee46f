// Symbol.asyncDispose for Node 20 releases that lack it (before 20.5), so that
// `await using` works there once compiled down. The only place that touches a
// global; every file with a [Symbol.asyncDispose] method imports it first.
if (Symbol.asyncDispose === undefined) {
  Object.defineProperty(Symbol, "asyncDispose", { value: Symbol.for("Symbol.asyncDispose") });
}

export {};
