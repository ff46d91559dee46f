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

const kLinger = 10_000; // ms that a script may take to end once its work is done

// Runs a script's main function and turns its outcome into the exit code. A script whose work
// is done ends, even where something keeps Node's event loop alive; it says what. Once it ends, it
// ends at once: Node 20 was seen to spin for ever while it closed what such a script had left open.
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    process.exitCode = 1;
    if (!(error instanceof SetupFailure)) throw error;
    for (const line of error.details) process.stderr.write(`    ${line}\n`);
    process.stderr.write(`infernode: ${error.message}\n`);
  } finally {
    setTimeout(endAnyway, kLinger).unref();
  }
  // Not after a bug's error: Node prints it behind this event.
  process.once("exit", () => process.exit());
}

function endAnyway() {
  const open = process.getActiveResourcesInfo().join(", ");
  process.stderr.write(`infernode: the work is done and something is still open: ${open}\n`);
  process.exit();
}
