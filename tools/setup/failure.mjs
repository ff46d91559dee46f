// The one error class of the set-up: a sentence for the user that says what is
// wrong and what to do. Anything else that is thrown is a bug of the set-up
// and keeps its stack trace.

export class SetupFailure extends Error {
  // `details` are lines worth showing above the sentence: a command's output.
  constructor(sentence, details = []) {
    super(sentence);
    this.name = "SetupFailure";
    this.details = details;
  }
}

// Runs a script's main function and turns its outcome into the exit code.
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    process.exitCode = 1;
    if (!(error instanceof SetupFailure)) throw error;
    for (const line of error.details) process.stderr.write(`    ${line}\n`);
    process.stderr.write(`infernode: ${error.message}\n`);
  }
}
