// `npm run soak:jobs [-- --jobs 10000 --seed 1]`: the job soak, and 100,000 polls
// that bring no job. Prints the figures, exits 1 on a fault.
import { parseArgs } from "node:util";
import { soakJobs } from "./job-soak.mjs";
import { soakPolls } from "./poll-soak.mjs";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "10000" },
    polls: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    growth: { type: "string", default: "20" },
  },
});
const most = Number(values.growth) / 100;

console.log(`seed ${values.seed}`);
const jobs = await soakJobs({ jobs: Number(values.jobs), seed: Number(values.seed) });
const { wrong, memoryGrowth, ...figures } = jobs;
console.log(figures);
if (memoryGrowth !== undefined) {
  console.log(`the worker's memory grew by ${(100 * memoryGrowth).toFixed(1)} %`);
  if (memoryGrowth > most) wrong.push(`memory grew by more than ${values.growth} %`);
}
const polls = await soakPolls(Number(values.polls));
console.log(polls);
if (polls.heapGrowthBytes > 4e6) wrong.push(`${polls.heapGrowthBytes} bytes of heap grew with polls`);
if (polls.sockets > 8) wrong.push(`${polls.sockets} sockets are open after polls`);
for (const sentence of wrong.slice(0, 20)) console.log(`WRONG: ${sentence}`);
process.exitCode = wrong.length === 0 ? 0 : 1;
