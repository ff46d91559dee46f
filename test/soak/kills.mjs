// `npm run soak:kills [-- --rounds 20 --seed 1]`: a server with a data folder, killed under load
// and started again. Prints the figures, exits 1 on a fault.
import { parseArgs } from "node:util";
import { soakKills } from "./kill-soak.mjs";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, seed: { type: "string", default: "1" } },
});
console.log(`seed ${values.seed}`);
const soak = { rounds: Number(values.rounds), seed: Number(values.seed), accepted: [100, 400] };
const { wrong, ...figures } = await soakKills(soak);
console.log(figures);
for (const sentence of wrong.slice(0, 20)) console.log(`WRONG: ${sentence}`);
if (wrong.length > 20) console.log(`and ${wrong.length - 20} more`);
process.exitCode = wrong.length === 0 ? 0 : 1;
