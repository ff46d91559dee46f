// Prometheus' text format, read: as much of it as counters and gauges of inference servers need.
// Lines that are no sample are skipped. Pure.

/** One sample. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const line = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)/;
const label = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** @returns the samples in their order */
export function readSamples(text: string): readonly Sample[] {
  return text.split("\n").flatMap((each): Sample[] => {
    const [, name, labels = "", value = ""] = line.exec(each) ?? [];
    const number = Number(value);
    if (name === undefined || Number.isNaN(number)) return [];
    const pairs = [...labels.matchAll(label)].map(
      ([, key = "", said = ""]) => [key, unescaped(said)] as const,
    );
    return [{ name, labels: Object.fromEntries(pairs), value: number }];
  });
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}
