// The formats of strings that are held to, each as a pattern. Every other format
// is an annotation, as JSON Schema has it.
const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ipv4 = `${octet}(\\.${octet}){3}`;
const group = "[0-9a-fA-F]{1,4}";

function ipv6(): string {
  const groups = (count: number) => (count === 0 ? "" : `${group}(:${group}){${count - 1}}`);
  const forms = [`${group}(:${group}){7}`];
  for (let before = 0; before <= 7; before += 1) {
    const after = 7 - before === 0 ? "" : `(${group}(:${group}){0,${6 - before}})?`;
    forms.push(`${groups(before)}::${after}`);
  }
  return forms.join("|");
}

const leapYear = "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
const monthAndDay =
  "((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))";
const date = `(\\d{4}-${monthAndDay}|${leapYear}-02-29)`;
const clock = "([01]\\d|2[0-3]):[0-5]\\d";
const time = `${clock}:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]${clock})`;

const label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const email = `[A-Za-z0-9_+-]+(\\.[A-Za-z0-9_+-]+)*@(${label}\\.)+[A-Za-z]{2,24}`;

// A host's last label begins with a letter, or it would be read as an address.
const word = "[A-Za-z0-9]+(-[A-Za-z0-9]+)*";
const host = `(${ipv4}|(${word}\\.)*[A-Za-z][A-Za-z0-9]*)`;
const encoded = "%[0-9A-Fa-f]{2}";
const path = `(/([\\w.~!$&'()*+,;=:@-]|${encoded})*)*`;
const rest = `([\\w.~!$&'()*+,;=:@/?-]|${encoded})`;
const uri =
  `([a-z][a-z0-9+.-]{1,15}://${host}(:[1-9]\\d{0,3})?${path}|file://${path}|` +
  `(mailto|urn|data|tel|about|blob):${rest}+)(\\?${rest}*)?(#${rest}*)?`;

const hex = (count: number) => `[0-9a-fA-F]{${count}}`;

/** No number in these needs more than nine digits: a second has that many of its parts. */
const timed: ReadonlySet<unknown> = new Set(["date-time", "time", "duration"]);
const secondsWithFraction = /\[0-5\]\\d\((\?:)?\\\.\\d\+\)/;
const fewDigits = "^\\D*(\\d{1,9}\\D+)*(\\d{1,9})?$";

/**
 * A pattern that holds beside one of a time: `\d+` alone lets a model write digits without end.
 * Undefined where the pattern is of no time, or counts ten digits or more itself.
 */
export function besidePattern(pattern: string, format: unknown): string | undefined {
  if (/\\d\{\d\d/.test(pattern)) return undefined;
  return timed.has(format) || secondsWithFraction.test(pattern) ? fewDigits : undefined;
}

/** Patterns by the format's name. */
export const stringFormats: ReadonlyMap<string, string> = new Map(
  Object.entries({
    date,
    time,
    "date-time": `${date}T${time}`,
    duration:
      "P(?=.)(\\d{1,9}W|(\\d{1,9}Y)?(\\d{1,9}M)?(\\d{1,9}D)?(T(?=\\d)(\\d{1,9}H)?(\\d{1,9}M)?(\\d{1,9}S)?)?)",
    email,
    hostname: `${label}(\\.${label})*`,
    ipv4,
    ipv6: ipv6(),
    uri,
    uuid: `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}`,
  }).map(([name, pattern]) => [name, `^(${pattern})$`]),
);
