// A benchmark that cannot be run as asked: a sentence for its user that says
// what is missing or wrong and what to do.

export class BenchFailure extends Error {
  constructor(sentence) {
    super(sentence);
    this.name = "BenchFailure";
  }
}
